"""The commands of ``script/operations``.

They may import the reports, dispatch, the ledger and the domain.
"""
