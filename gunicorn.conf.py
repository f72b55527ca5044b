"""The configuration of Gunicorn. ``gunicorn plugin:app`` reads it automatically."""

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
from b2_iconik.dispatch.recorder import prepare_database

NOTIFY_SOCKET = "NOTIFY_SOCKET"

# With two workers, either one can replace the other.
workers = 2
# Threads of this worker class wait for slow clients, so the proxy in front must absorb them.
worker_class = "gthread"
threads = 8
# All connections together must stay below the limit of 1,024 open files per process.
worker_connections = 500
# In seconds. A worker whose loop is blocked for longer is replaced.
timeout = 60
# In seconds. Operations stop within one or two seconds, and lose nothing if they don't.
graceful_timeout = 10
keepalive = 5
limit_request_line = 4094
limit_request_fields = 50
limit_request_field_size = 8190
# gunicornc is not used, so no control socket is needed.
control_socket_disable = True
# If an access log is requested: without the query and the referrer, which may contain a link that
# opens an operation's page.
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s "%(a)s"'


def _name_of(error: Exception) -> str:
    return type(error).__name__


# Gunicorn logs and returns the text that it can't parse. If a client sends the secret in the wrong
# place, that text contains it. So the message of each of these errors is only its name.
for _kind in vars(http_errors).values():
    if isinstance(_kind, type):
        setattr(_kind, "__str__", _name_of)  # noqa: B010 - no attribute of ours


class OneLog(Logger):
    """Gunicorn's logger. It logs like the plugin, unless its log is configured explicitly."""

    def setup(self, cfg: Config) -> None:
        """Configure the logger."""
        super().setup(cfg)
        is_told = cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json or cfg.errorlog != "-"
        if is_told:
            return
        try:
            told = settings.load()
        except SettingsError:
            # ``on_starting`` reports the error and refuses to start.
            return
        logs.configure(told.log_level, told.log_format)
        logs.take_over(self.error_log)


logger_class = OneLog

# systemd's notification socket, if systemd started the service. Withheld until a worker is ready.
_held_back: dict[str, str] = {}


def on_starting(server: Arbiter) -> None:
    """Refuse to start with a one-line message if the plugin could not work."""
    try:
        # Also checked here: if all workers refuse to start, Gunicorn logs a traceback of its own.
        told = settings.load()
        prepare_database(told)
    except SettingsError as error:
        raise SystemExit(f"b2-iconik-plugin: {error}") from None
    if server.cfg.preload_app:
        raise SystemExit(
            "b2-iconik-plugin: --preload is not supported: each worker must build its own service"
        )
    try:
        os.environ[metric_files.VARIABLE] = str(metric_files.prepare())
    except OSError as error:
        # Then each worker has separate metrics, and a scrape shows those of one worker.
        os.environ.pop(metric_files.VARIABLE, None)
        logging.getLogger("gunicorn.error").error("no directory for metrics: %s", error.strerror)
    # Import and build once for all workers: they share read-only memory, and start faster.
    importlib.import_module("plugin").create_app(told)
    gc.freeze()
    # Gunicorn would report readiness when it starts to listen, before any worker can answer.
    if NOTIFY_SOCKET in os.environ:
        _held_back[NOTIFY_SOCKET] = os.environ.pop(NOTIFY_SOCKET)


def on_exit(server: Arbiter) -> None:
    """Remove the metrics directory."""
    directory = os.environ.pop(metric_files.VARIABLE, None)
    if directory:
        metric_files.clean(Path(directory))


def post_worker_init(worker: Worker) -> None:
    """Notify systemd that the service is ready: a worker has built it, and is about to answer."""
    os.environ.update(_held_back)
    sd_notify(f"READY=1\nSTATUS=version {VERSION} is ready", worker.log, unset_environment=True)


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Release running operations, so that another process can resume them at once."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        app.extensions["leader"].stop()
