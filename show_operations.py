"""Shows, stops and retries operations: what script/operations runs."""

if __name__ == "__main__":
    from b2_iconik.cli.operations import main

    raise SystemExit(main())
