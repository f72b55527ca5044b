"""How Gunicorn serves the plugin: read by itself where ``gunicorn plugin:app`` is started."""

import gc
import importlib
import logging
import os
from pathlib import Path

from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http import errors as http_errors
from gunicorn.systemd import sd_notify
from gunicorn.workers.base import Worker

from b2_iconik.common import logs, metric_files, settings
from b2_iconik.common.errors import SettingsError
from b2_iconik.common.version import VERSION
from b2_iconik.dispatch.recorder import look_at_database

NOTIFY_SOCKET = "NOTIFY_SOCKET"

# Two, so that one can always do the other's part.
workers = 2
# Its threads wait for slow clients: the proxy in front must absorb them.
worker_class = "gthread"
threads = 8
# All connections together must be fewer than the 1,024 files that a process may have open.
worker_connections = 500
# A worker whose loop has been blocked for this long is replaced.
timeout = 60
# Operations let go within a second or two, and lose nothing where they don't.
graceful_timeout = 10
keepalive = 5
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 8190
# A worker's heartbeat is a file. In memory, a disk can't delay it.
control_socket_disable = True


def _name_of(error: Exception) -> str:
    return type(error).__name__


# Gunicorn logs, and answers, the text of what it can't parse; a client that sends the secret in the
# wrong place would find it there. So each of these errors only tells its name.
for _kind in vars(http_errors).values():
    if isinstance(_kind, type):
        setattr(_kind, "__str__", _name_of)  # noqa: B010 - no attribute of ours


class OneLog(Logger):
    """Gunicorn's logger; its lines are as the plugin's own, unless it was told where they go."""

    def setup(self, cfg: Config) -> None:
        """Set it up."""
        super().setup(cfg)
        is_told = cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json or cfg.errorlog != "-"
        if is_told:
            return
        try:
            told = settings.load()
        except SettingsError:
            # It won't start, and says why in a moment.
            return
        logs.configure(told.log_level, told.log_format)
        logs.take_over(self.error_log)


logger_class = OneLog

# Where systemd waits to hear that the service is ready, if it started it.
_held_back: dict[str, str] = {}


def on_starting(server: Arbiter) -> None:
    """Refuse to start, with one line, where the plugin could not work."""
    try:
        # Here, too, because workers that all refuse to start leave a trace of Gunicorn's.
        look_at_database(settings.load())
    except SettingsError as error:
        raise SystemExit(f"b2-iconik-plugin: {error}") from None
    if server.cfg.preload_app:
        raise SystemExit(
            "b2-iconik-plugin: --preload is not supported: each worker must build its own service"
        )
    try:
        os.environ[metric_files.VARIABLE] = str(metric_files.prepare())
    except OSError as error:
        # Each worker has metrics of its own then, and whichever is asked tells of itself.
        os.environ.pop(metric_files.VARIABLE, None)
        logging.getLogger("gunicorn.error").error("no directory for metrics: %s", error.strerror)
    # Loaded once for all workers: they share the memory that they only read, and start sooner.
    importlib.import_module("plugin")
    gc.freeze()
    # Gunicorn would tell as soon as it listens, before any worker could answer.
    if NOTIFY_SOCKET in os.environ:
        _held_back[NOTIFY_SOCKET] = os.environ.pop(NOTIFY_SOCKET)


def on_exit(server: Arbiter) -> None:
    """Leave nothing behind."""
    directory = os.environ.pop(metric_files.VARIABLE, None)
    if directory:
        metric_files.clean(Path(directory))


def post_worker_init(worker: Worker) -> None:
    """Tell systemd that the service is ready: a worker has built it, and is about to answer."""
    os.environ.update(_held_back)
    sd_notify(f"READY=1\nSTATUS=version {VERSION} is ready", worker.log, unset_environment=True)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Let go of running operations, so that another process carries them on at once."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["leader"].stop()
