"""What B2 itself says about an object: whether it exists, its size, and its SHA-1 where known.

``confirm`` is what the rest of the plugin uses. The package may import settings, errors, iconik's
record types, the pairs and checksums of the rules, and what bounds, clocks and counts requests. It
imports no client of iconik's, no database and no Flask, and sends B2 nothing that is iconik's.
"""
