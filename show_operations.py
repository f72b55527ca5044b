"""The program behind script/operations: show, stop and retry operations."""

if __name__ == "__main__":
    from b2_iconik.cli.operations import main

    raise SystemExit(main())
