"""Ports for servers that can't choose one themselves."""

import socket


def free_port() -> int:
    """A port that nobody on this machine listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
