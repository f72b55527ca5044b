"""The entry point of Google Cloud Functions, second generation, where files are imported by name.

Their framework serves the plugin there, by Gunicorn with its own settings, and forks workers after
the import. Each begins to wait for the operations' lock at once: where the instance before was
lost, nobody need click first. ``docs/deployment.md`` says how an instance goes on after an answer.
"""

import os
import threading
from collections.abc import Mapping

from flask import Flask, Request
from werkzeug.wrappers import Response

import plugin
from b2_iconik.common import settings
from b2_iconik.common.errors import SettingsError

# Set by Cloud Run, which functions of the second generation run on.
ON_CLOUD_RUN = "K_SERVICE"


def iconik_handler(request: Request) -> Response:
    """Answer as ``plugin`` does, whatever the path and method.

    Args:
        request: as the framework hands it over, its body not read.
    """
    return Response.from_app(_service(), request.environ)


def check(environment: Mapping[str, str]) -> None:
    """Check that the plugin can work in its environment.

    Raises:
        SystemExit: it can't; the one line says why.
    """
    try:
        told = settings.load(environment)
    except SettingsError as error:
        raise SystemExit(f"b2-iconik-plugin: {error}") from None
    if ON_CLOUD_RUN in environment and not told.database_url.startswith("postgresql"):
        raise SystemExit(
            "b2-iconik-plugin: DATABASE_URL must be a postgresql:// address: a function keeps its "
            "files in memory, so operations would be lost with it"
        )


def _service() -> Flask:
    """The whole service, built once in a process."""
    with _building:
        try:
            app: Flask = plugin.app
        except SystemExit:
            # Nobody would notice the end of a thread.
            os._exit(plugin.NO_USE_TO_TRY_AGAIN)
    return app


def _begin() -> None:
    # Made here: a thread that was made before the fork can't be started after it.
    threading.Thread(target=_service, name="begin", daemon=True).start()


_building = threading.Lock()
check(os.environ)
# Cloud Run ends an instance ten seconds after it said so: until then it works on, and the next one
# takes up what is left.
os.register_at_fork(after_in_child=_begin)
