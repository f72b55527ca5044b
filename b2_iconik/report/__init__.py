"""Reports about operations for people. This package only reads.

It may import the ledger and the domain.
"""
