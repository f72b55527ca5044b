"""The values and rules: clicks, operations, outcomes, and what proves a file safe.

All of it is pure. It may import settings, errors, the clock, and iconik's record types.
"""
