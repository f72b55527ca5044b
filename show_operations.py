"""The program behind script/operations: show, stop and retry operations, and carry out previews."""

if __name__ == "__main__":
    from b2_iconik.cli.operations import main

    raise SystemExit(main())
