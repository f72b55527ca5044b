"""Ask B2 itself about an object: whether it exists, its size, and its SHA-1 if known.

The rest of the plugin uses ``confirm``. The package may import settings, errors, iconik's record
types, the domain's pairs and checksums, and the modules that limit, time and count requests. It
imports no iconik client, no database and no Flask, and sends B2 nothing that belongs to iconik.
"""
