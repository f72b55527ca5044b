"""The plugin: Add to LucidLink and Remove from LucidLink, from the click to the report.

Any of its packages may import the modules beside them: settings, errors, logs, texts, clock, meters
and threads.
"""
