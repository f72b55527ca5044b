"""HTTP besides ``plugin.py``: the operations page, its login, and the metrics.

It may import the reports, dispatch, the ledger and the domain.
"""
