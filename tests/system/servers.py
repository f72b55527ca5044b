"""The servers that people start the plugin with, and what they say if it can't be served."""

import os
import subprocess
import sys
from collections.abc import Mapping

from dev.harness import ROOT

GUNICORN = ["gunicorn", "-b", "127.0.0.1:0", "plugin:app"]
FLASK = ["flask", "--app", "plugin", "run", "--port", "0"]
SERVERS = [GUNICORN, FLASK]


def refused_start(server: list[str], environment: Mapping[str, str]) -> str:
    """What a server says on stderr that ends at once, which must be without a trace."""
    ended = subprocess.run(
        [sys.executable, "-m", *server],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr
