"""Modules for all packages: settings, errors, logs, texts, the clock, metrics, and worker threads.

Every package may import this one. It imports no other package of the plugin.
"""
