"""Where an operation can be stopped: at one of its requests, or at one of its notes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from dev.harness import Service, Simulator, wait_for
from iconik_http.expiry import HOLDS

LONG_ENOUGH = "hang:60"
PURGE = "files/v1/assets/*/purge/"
PURGE_MANY = "files/v1/delete_queue/file_sets/purge/"
PATIENCE = 120.0


def hang_at(simulator: Simulator, method: str, path: str) -> None:
    """Let the next such request do its work, and its answer stay away."""
    fault = {"fault": LONG_ENOUGH, "method": method, "path": path, "after": True}
    simulator.control("POST", "faults", fault)


def kill_at(service: Service) -> None:
    """Kill all of the service when the request that is to hang has come.

    Call ``hang_at`` before. The simulator carries the request through whoever is gone by then.
    """
    simulator = service.simulator
    wait_for("request", lambda: not simulator.control("GET", "faults")["requests"], PATIENCE)
    service.process.kill()


def asked(simulator: Simulator, method: str, ending: str) -> list[dict[str, Any]]:
    """The requests so far of a method, '*' for any, whose path ends so; answered or not."""
    seen = simulator.control("GET", "requests")["objects"]
    return [
        each for each in seen if method in ("*", each["method"]) and each["path"].endswith(ending)
    ]


def stood_still(simulator: Simulator) -> bool:
    """Whether this machine did, and for so long that what was read may have been read again."""
    times = [datetime.fromisoformat(each["time"]) for each in asked(simulator, "*", "")]
    gaps = [after - before for before, after in pairwise(times)]
    return max(gaps).total_seconds() > HOLDS / 2


def database_of(service: Service) -> str:
    """The path of the service's SQLite file."""
    return str(sa.make_url(service.environment["DATABASE_URL"]).database)


@contextmanager
def open_database(service: Service) -> Iterator[sqlite3.Connection]:
    """The service's SQLite file, each statement by itself."""
    connection = sqlite3.connect(database_of(service), timeout=30, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def refuse(service: Service, event: str) -> None:
    """Have the database refuse one kind of note from now on.

    Args:
        event: such as 'UPDATE OF ended_ms ON plugin_operations'.
    """
    with open_database(service) as connection:
        connection.execute(
            f"CREATE TRIGGER refuse BEFORE {event} BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )


def allow(service: Service) -> None:
    """Have the database take every note again."""
    with open_database(service) as connection:
        connection.execute("DROP TRIGGER refuse")
