"""HTTP routes besides those of ``plugin.py``: the operations page, its login, and the metrics.

The package may import the reports, dispatch, the ledger and the domain.
"""
