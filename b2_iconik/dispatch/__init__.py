"""The path of a click from its answer to the one process that runs it.

It may import the ledger and the domain.
"""
