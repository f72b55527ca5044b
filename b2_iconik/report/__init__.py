"""What people are shown of operations; it only reads.

It may import the ledger and the domain.
"""
