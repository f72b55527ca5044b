"""The way from an answered click to the one process that runs it.

It may import the ledger and the domain.
"""
