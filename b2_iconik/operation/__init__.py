"""Add and Remove: select, inspect, copy, wait, prove, delete, report.

It may import the ledger, the bucket, the domain, and ``iconik.py``.
"""
