"""An iconik that runs on the desk: what the plugin uses of its API, over two real directories."""
