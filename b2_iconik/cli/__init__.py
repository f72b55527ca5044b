"""The commands of ``script/operations``.

The package may import the reports, dispatch, the ledger and the domain.
"""
