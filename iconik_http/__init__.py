"""Access to iconik's REST API: retries, tokens, pacing, paging and limits.

It imports nothing of ours. Only ``iconik.py`` uses it, with these exceptions: any package may use
its record types, its errors, the age of readings (``expiry``) and the limits of answers
(``http_limits``).
"""
