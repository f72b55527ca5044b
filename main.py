"""The entry point of Google Cloud Functions, second generation, which imports files by name.

Their framework serves the plugin with Gunicorn and its own settings, and forks workers after the
import. Each worker immediately starts to wait for the operations' lock. If the previous instance
died, operations resume without a new click. ``docs/deployment.md`` says how an instance continues
to run after an answer.
"""

import os
import threading
from collections.abc import Mapping

from flask import Flask, Request
from werkzeug.wrappers import Response

import plugin
from b2_iconik.common import settings
from b2_iconik.common.errors import SettingsError

# Set by Cloud Run, which runs functions of the second generation.
ON_CLOUD_RUN = "K_SERVICE"


def iconik_handler(request: Request) -> Response:
    """Answer like ``plugin``, for every path and method.

    Args:
        request: the request from the framework, with its body unread.
    """
    return Response.from_app(_service(), request.environ)


def check(environment: Mapping[str, str]) -> None:
    """Check that the plugin can run in its environment.

    Raises:
        SystemExit: it can't; the message is one line that says why.
    """
    try:
        told = settings.load(environment)
    except SettingsError as error:
        raise SystemExit(f"b2-iconik-plugin: {error}") from None
    if ON_CLOUD_RUN in environment and not told.database_url.startswith("postgresql"):
        raise SystemExit(
            "b2-iconik-plugin: DATABASE_URL must be a postgresql:// address: a function's files "
            "are in memory, so operations would be lost when its instance ends"
        )


def _service() -> Flask:
    """Return the whole service, built once per process."""
    with _building:
        try:
            app: Flask = plugin.app
        except SystemExit:
            # End the process: in a thread, SystemExit would pass unnoticed.
            os._exit(plugin.DO_NOT_RESTART)
    return app


def _begin() -> None:
    # Create the thread here: a thread created before the fork can't be started after it.
    threading.Thread(target=_service, name="begin", daemon=True).start()


_building = threading.Lock()
check(os.environ)
# Cloud Run announces the end of an instance ten seconds in advance. The instance works until then,
# and the next one continues the operations.
os.register_at_fork(after_in_child=_begin)
