"""What the set-up scripts and checks share.

It may import ``iconik.py``, the bucket, and what the web side may.
"""
