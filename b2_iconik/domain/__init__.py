"""Values and rules: clicks, operations, outcomes, and the proof that a file is safe.

All modules are pure. They may import settings, errors, the clock, and iconik's record types.
"""
