"""The plugin: Add to LucidLink and Remove from LucidLink, from the click to the report."""
