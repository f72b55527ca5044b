"""A local iconik: the part of its API that the plugin uses, with real directories as storages."""
