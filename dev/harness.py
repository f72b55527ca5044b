"""Start the simulator and the service as a user would, each in its own processes.

The demonstration, the tests and the benchmark use this module.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import report
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import operations

ROOT = Path(__file__).resolve().parent.parent
SECRET = "a-secret-of-the-simulator-s-own-0123456789"  # noqa: S105 - opens nothing but a simulator
START = 120.0
STOP = 15.0
# As in gunicorn.conf.py.
WORKERS = 2
Found = TypeVar("Found")


def wait_for(what: str, find: Callable[[], Found | None], seconds: float) -> Found:
    """Call a function until it returns something true, and return that.

    Args:
        what: what is awaited, for the message.

    Raises:
        TimeoutError: the time is over; the message says what was awaited.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"no {what} within {seconds:g} s")


def files(root: Path) -> list[Path]:
    """Return the files below a directory, in order."""
    return sorted(path for path in root.rglob("*") if path.is_file())


# Every program started here, so that none keeps running if the caller is interrupted.
_started: list["Process"] = []


def stop_all() -> None:
    """End every program started by this module."""
    while _started:
        _started[-1].stop()


def interrupt(*_: object) -> None:
    """End this program as Ctrl-C does, for other signals too."""
    raise KeyboardInterrupt


def clean_up() -> None:
    """End every program started by this module, even if Ctrl-C is pressed again."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    stop_all()


@contextmanager
def _signals_later() -> Iterator[None]:
    """Delay signals that would end this program between a child's fork and its registration."""
    caught: list[int] = []
    handlers = {
        each: signal.signal(each, lambda number, _: caught.append(number))
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for each, handler in handlers.items():
            signal.signal(each, handler)
        if caught:
            signal.raise_signal(caught[0])


class Process:
    """A program in its own session, with its output in a file.

    Args:
        environment: variables in addition to those of this process.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._offset = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output, _signals_later():
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.pid = self._process.pid
            _started.append(self)

    def output(self) -> str:
        """Return its output so far."""
        return self.log.read_bytes()[self._offset :].decode(errors="replace")

    def wait_for_line(self, pattern: str, seconds: float = START) -> re.Match[str]:
        """Wait until its output matches a pattern, and return the match.

        Raises:
            RuntimeError: it ended before that.
            TimeoutError: there was no match in time.
        """

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self.output())
            if found is None and self._process.poll() is not None:
                raise RuntimeError(f"{self.log.name} ended: {self.output()[-2000:]}")
            return found

        return wait_for(f"line like '{pattern}' in {self.log.name}", look, seconds)

    def children(self) -> list[int]:
        """Return the ids of its child processes."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(each) for each in text.split()]

    def is_running(self) -> bool:
        """Return whether it is still running."""
        return self._process.poll() is None

    def exit_status(self) -> int:
        """Wait until it has ended, and return its exit status."""
        return self._process.wait(START)

    def stop(self) -> None:
        """End it as systemd would, and make sure that no process of it is left."""
        if self.is_running():
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP)
        self.kill()

    def suspend(self) -> None:
        """Suspend all its processes, like a host that is migrated or out of memory."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let its processes continue."""
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """Kill all its processes at once, like a power failure."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(STOP)
        if self in _started:
            _started.remove(self)


class Simulator:
    """A running simulator.

    Args:
        directory: the directory for the files of its two storages, and its log.
        options: further arguments of ``python -m simulator``.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        self.b2, self.lucidlink = directory / "b2", directory / "lucidlink"
        self.process = Process(
            [
                sys.executable, "-m", "simulator", "--port", "0",
                "--b2", str(self.b2), "--lucidlink", str(self.lucidlink), *options,
            ],
            {},
            directory / "simulator.log",
        )  # fmt: skip
        ready = self.process.wait_for_line(
            r"simulator ready at (\S+) app_id=(\S+) token=(\S+) "
            r"b2_storage_id=(\S+) ll_storage_id=(\S+)"
        )
        self.url, self.app_id, self.token, self.b2_storage_id, self.ll_storage_id = ready.groups()
        self._session = requests.Session()

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """Send a request to the simulator's own API; see its README."""
        response = self._session.request(
            method, f"{self.url}/_simulator/{path}", json=json, timeout=120
        )
        response.raise_for_status()
        return response.json() if response.content else None

    def original(self, asset_id: str, storage_id: str) -> str:
        """Return the id of the only file of an asset's original on a storage."""
        (file_id,) = [
            str(file["id"])
            for each in self.control("GET", f"assets/{asset_id}")["formats"]
            if each["name"] == "ORIGINAL"
            for file_set in each["file_sets"]
            if file_set["storage_id"] == storage_id
            for file in file_set["files"]
        ]
        return file_id

    def edit_on_lucidlink(self, asset_id: str, content: str) -> None:
        """Edit an asset's original in place, as an editor would, and update iconik's record."""
        change = {"content": content, "size": len(content), "checksum": None}
        self.control("PATCH", f"files/{self.original(asset_id, self.ll_storage_id)}", change)

    def stop(self) -> None:
        """Kill it."""
        self._session.close()
        self.process.kill()


class Service:
    """The plugin, running under Gunicorn.

    Args:
        directory: the directory for its database and its log.
        simulator: the iconik that it works with.
        arguments: further arguments for Gunicorn, in addition to the address.
        environment: variables in addition to those it needs.
    """

    def __init__(
        self,
        directory: Path,
        simulator: Simulator,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.simulator = simulator
        self.environment = {
            "ICONIK_ID": simulator.app_id,
            "ICONIK_TOKEN": simulator.token,
            "ICONIK_URL": simulator.url,
            "BZ_SHARED_SECRET": SECRET,
            "DATABASE_URL": f"sqlite:///{directory / 'operations.sqlite'}",
            **(environment or {}),
        }
        self._arguments = arguments
        directory.mkdir(exist_ok=True)
        self._log = directory / "service.log"
        self.url = ""
        self.start()
        self._engine = connect(self.environment["DATABASE_URL"], 30.0)
        self._ledger = Ledger(self._engine)

    def start(self) -> None:
        """Start it, again if it was killed, and wait until it answers."""
        address = self.url.removeprefix("http://") or "127.0.0.1:0"
        self.process = Process(
            [sys.executable, "-m", "gunicorn", "-b", address, *self._arguments, "plugin:app"],
            self.environment,
            self._log,
        )
        self.url = self.process.wait_for_line(r"Listening at: (http://\S+)")[1]
        wait_for("answer of the service", self._is_ready, START)

    def restart(self, **environment: str) -> None:
        """Stop it, and start it again with other variables."""
        self.process.stop()
        self.environment.update(environment)
        self.start()

    def workers(self) -> list[int]:
        """Return the ids of its workers, once all have started. The first one answers earlier."""
        given = list(self._arguments)
        many = int(given[given.index("-w") + 1]) if "-w" in given else WORKERS

        def begun() -> list[int]:
            found = self.process.children()
            return found if len(found) == many else []

        return wait_for("all workers", begun, START)

    def click(self, action: str, formats: str = "", **selection: list[str]) -> requests.Response:
        """Post a custom action as iconik would.

        Args:
            action: 'add', 'remove' or 'preview'.
            formats: comma-separated names, for the action's URL.
            selection: ``asset_ids``, ``collection_ids``, ``saved_search_ids``.
        """
        context = "COLLECTION" if selection.get("collection_ids") else "BULK"
        return self.post(
            action,
            {"context": context, "auth_token": self.simulator.token, **selection},
            formats=formats,
        )

    def post(self, action: str, body: Any, formats: str = "", keep: str = "") -> requests.Response:
        """Post any JSON to the route of an action, with the secret and the storages."""
        storages = {
            "b2_storage_id": self.simulator.b2_storage_id,
            "ll_storage_id": self.simulator.ll_storage_id,
        }
        return requests.post(
            f"{self.url}/{action}",
            # Parameters that are None are left out.
            params={**storages, "formats": formats or None, "keep": keep or None},
            json=body,
            headers={"x-bz-secret": SECRET},
            timeout=30,
        )

    def press(self, button: str, operation_id: str) -> requests.Response:
        """Press a button on the page of an operation: 'stop', 'retry', 'remove' or 'undo'."""
        return self.submit(f"operations/{operation_id}/{button}")

    def submit(self, path: str, **form: str) -> requests.Response:
        """Post a form of a page, and have the answer as JSON."""
        return requests.post(
            f"{self.url}/{path}",
            data=form,
            auth=("ada", SECRET),
            headers={"Accept": "application/json", "Sec-Fetch-Site": "same-origin"},
            timeout=30,
        )

    def operation(self, operation_id: str) -> Operation:
        """Return an operation from the ledger."""
        operation = self._ledger.operation(operation_id)
        if operation is None:
            raise LookupError(f"there is no operation {operation_id}")
        return operation

    def rows(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Return what a query finds in the ledger."""
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def newest(self) -> list[str]:
        """Return the ids of the last operations, newest first."""
        newest = sa.select(operations.c.id).order_by(operations.c.number.desc())
        return [row.id for row in self.rows(newest.limit(50))]

    def is_idle(self) -> bool:
        """Whether nothing is left to do for any operation."""
        return not self._ledger.open(())

    def progress(self, operation_id: str) -> dict[str, int]:
        """Return how many assets of an operation are in each state."""
        return self._ledger.progress(self.operation(operation_id).number)

    def assets(self, operation_id: str) -> list[str]:
        """Return the ids of an operation's assets, as far as they are known."""
        outcomes = self._ledger.outcomes(self.operation(operation_id).number)
        return [asset_id for asset_id, _, _ in outcomes]

    def has_ended(self, operation_id: str) -> bool:
        """Return whether an operation has ended."""
        return self.operation(operation_id).ended_ms is not None

    def report(self, operation_id: str, seconds: float = 120.0) -> dict[str, Any]:
        """Wait until an operation has ended, and return its report."""
        wait_for(f"end of {operation_id}", lambda: self.has_ended(operation_id), seconds)
        operation = self.operation(operation_id)
        number = operation.number
        return report(operation, self._ledger.outcomes(number), self._ledger.gone(number))

    def job(self, operation_id: str) -> str:
        """Return the id of the job that shows an operation in iconik; "" while that is unknown."""
        return self.operation(operation_id).job_id or ""

    def ask_to_stop(self, operation_id: str, by: str) -> bool:
        """Request the stop of an operation, from this process; see ``Ledger.ask_to_stop``."""
        return self._ledger.ask_to_stop(operation_id, by, now_ms())

    def log(self) -> str:
        """Return its log since its last start."""
        return self.process.output()

    def stop(self) -> None:
        """Kill it, and close the database connections of this process."""
        self.process.kill()
        self._engine.dispose()

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/", timeout=5).ok
        except requests.RequestException:
            return False
