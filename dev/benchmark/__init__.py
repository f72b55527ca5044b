"""Measure the plugin's performance with the simulated iconik; see docs/performance.md."""
