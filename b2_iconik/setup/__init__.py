"""The parts that the setup scripts and checks share.

The package may import ``iconik.py``, the bucket, and everything that the web side may import.
"""
