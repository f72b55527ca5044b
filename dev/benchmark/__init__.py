"""How fast the plugin is, measured against the simulated iconik: see docs/performance.md."""
