"""The way to iconik's REST API: retries, tokens, pace, paging and bounds.

It imports nothing of ours. Only ``iconik.py`` uses it, except that anybody may use its record
types, its errors, the age of what was read (``expiry``) and the bounds of answers
(``http_limits``).
"""
