"""The plugin: Add to LucidLink and Remove from LucidLink, from the click to the report.

Each package in it may import the modules in this directory: settings, errors, logs, texts, clock,
meters, and the worker pool.
"""
