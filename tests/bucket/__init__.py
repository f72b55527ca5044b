"""Tests of the package that asks B2 itself."""
