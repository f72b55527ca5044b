"""Shows, stops and retries operations: what script/operations runs."""

from b2_iconik.cli.operations import main

if __name__ == "__main__":
    raise SystemExit(main())
