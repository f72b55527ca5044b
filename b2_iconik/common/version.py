"""The plugin's version, which is written nowhere else but in CHANGELOG.md."""

VERSION = "0.1.0"
