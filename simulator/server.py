"""Serve a simulation over HTTP, in one process besides Gunicorn's own."""

import os
import signal
import sys
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.http import wsgi
from werkzeug.exceptions import HTTPException

from simulator import control, control_buckets, routes
from simulator.api_actions import ActionsApi
from simulator.api_assets import AssetsApi
from simulator.api_b2 import B2Api
from simulator.api_files import FilesApi
from simulator.api_s3 import S3Api
from simulator.bucket_gate import BucketGate
from simulator.clock import CLOCK
from simulator.gate import Gate
from simulator.refusals import Refusal
from simulator.settings import Settings
from simulator.simulation import Simulation

THREADS = 128


def create_app(simulation: Simulation) -> BucketGate:
    """Create the whole WSGI application."""
    app = Flask(__name__)
    app.before_request(simulation.deletions.purge_due)
    app.register_blueprint(
        routes.blueprint(
            "api",
            "/API",
            simulation.library.lock,
            FilesApi(simulation),
            AssetsApi(simulation),
            ActionsApi(simulation),
        )
    )
    app.register_error_handler(
        Refusal, lambda refusal: routes.answer({"errors": refusal.errors}, refusal.status)
    )
    app.register_error_handler(
        HTTPException, lambda error: routes.answer({"errors": [error.description]}, error.code)
    )
    gate = Gate(
        app.wsgi_app,
        settings=simulation.settings,
        faults=simulation.request_faults,
        app_id=simulation.app_id,
        tokens=simulation.tokens,
        may_see=simulation.rights.may_see,
    )
    buckets = BucketGate(
        gate,
        settings=simulation.settings,
        faults=simulation.bucket_faults,
        s3=S3Api(simulation.objects, simulation.signer),
        b2=B2Api(simulation.objects, simulation.keyring),
    )
    app.register_blueprint(control.blueprint(simulation, gate))
    app.register_blueprint(control_buckets.blueprint(simulation, buckets.log))
    return buckets


def _response(settings: Settings) -> type[wsgi.Response]:
    """Return a class of responses that have iconik's time, or none, if they are iconik's."""

    class Response(wsgi.Response):
        """Gunicorn ignores a ``Date`` that an application sets, so it is replaced here."""

        def default_headers(self) -> list[str]:
            """Return the headers that Gunicorn adds."""
            headers = super().default_headers()
            if not (self.req.path or "").startswith("/API/"):
                return headers
            date = f"Date: {formatdate(CLOCK.now(), usegmt=True)}\r\n"
            others = [each for each in headers if not each.startswith("Date:")]
            return [*others, date] if settings.date_header else others

    return Response


class Server(BaseApplication):
    """Gunicorn with a single worker, because the state is in the worker's memory."""

    def __init__(self, simulation: Simulation, host: str, port: int) -> None:
        self._simulation = simulation
        self._bind = f"{host}:{port}"
        super().__init__()

    def load_config(self) -> None:
        """Configure Gunicorn: little logging, many threads, persistent connections."""
        options: Mapping[str, Any] = {
            "bind": self._bind,
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS,
            "keepalive": 75,
            "loglevel": "error",
            "graceful_timeout": 1,
            "control_socket_disable": True,
            "post_worker_init": self._begin,
            "worker_exit": _leave_threads,
            "child_exit": _stop_with_worker,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Create the application in the worker."""
        return create_app(self._simulation)

    def _begin(self, worker: Any) -> None:
        """Start the copies in the process that answers, and print that the simulator is ready."""
        # There is nothing to save, so exit without waiting for sleeping threads and open
        # connections.
        for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(sign, lambda *_: os._exit(0))
        simulation = self._simulation
        wsgi.Response = _response(simulation.settings)  # type: ignore[misc]
        simulation.copies.start()
        host, port = worker.sockets[0].getsockname()[:2]
        print(
            f"simulator ready at http://{host}:{port}",
            f"app_id={simulation.app_id}",
            f"token={simulation.token}",
            f"b2_storage_id={simulation.b2.id}",
            f"ll_storage_id={simulation.lucidlink.id}",
            flush=True,
        )


def _stop_with_worker(arbiter: Any, worker: Any) -> None:
    """Stop when the worker has ended: a new worker would not have its state."""
    if arbiter.LISTENERS:
        print("simulator: its process has died", file=sys.stderr)
        arbiter.num_workers = 0
        os.kill(arbiter.pid, signal.SIGTERM)


def _leave_threads(arbiter: Any, worker: Any) -> None:
    """End the worker even if threads hang on purpose. Gunicorn calls this in both processes."""
    if os.getpid() != arbiter.pid:
        os._exit(0)
