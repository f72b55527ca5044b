"""The plugin's version. CHANGELOG.md is the only other place that contains it."""

VERSION = "0.1.0"
