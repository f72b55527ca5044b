"""Add and Remove: select, read, prove, delete, copy, wait, report.

It may import the ledger, the bucket, the domain, and ``iconik.py``.
"""
