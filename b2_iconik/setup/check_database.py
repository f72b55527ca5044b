"""Check that the database is usable, has this version, and has a process that runs operations."""

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader_lock import is_taken
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.migrations import VERSION
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import schema, terms
from b2_iconik.setup.findings import Finding, ok, wrong

PATIENCE = 5.0
DATABASE = "database"
EXECUTOR = "operations"


def check(settings: Settings) -> Iterator[Finding]:
    """Check the database without creating or changing a table.

    Args:
        settings: the settings of the service.
    """
    url = sa.make_url(settings.database_url)
    shown = url.render_as_string(hide_password=True)
    if url.get_backend_name() == "sqlite":
        problem = _file_problem(Path(url.database or ""))
        if problem:
            yield wrong(DATABASE, problem)
            return
    try:
        engine = connect(settings.database_url, PATIENCE)
        try:
            yield from _look_into(engine, settings, shown)
        finally:
            engine.dispose()
    except (SQLAlchemyError, OSError) as error:
        yield wrong(DATABASE, f"{shown} cannot be used: {_brief(error)}")


def _file_problem(path: Path) -> str | None:
    """Return why this user can't use a SQLite file. Opening the file would create it."""
    if not path.exists():
        return (
            f"{path.absolute()} does not exist: start the service once to create it, or run "
            "this script with the service's own DATABASE_URL or STATE_DIRECTORY"
        )
    # SQLite creates its journals in the same directory.
    for place in (path, path.absolute().parent):
        if not os.access(place, os.R_OK | os.W_OK):
            return f"{place} cannot be read and written: run this script as the service's user"
    return None


def _look_into(engine: sa.Engine, settings: Settings, shown: str) -> Iterator[Finding]:
    if not sa.inspect(engine).has_table(schema.name):
        yield wrong(
            DATABASE,
            f"{shown} has no tables of this service: start the service once, or see its log",
        )
        return
    with engine.connect() as connection:
        version = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar() or 1
    if version != VERSION:
        do = "run the newer version" if version > VERSION else "restart the service to upgrade it"
        yield wrong(
            DATABASE, f"{shown} has schema {version}, but this checkout has {VERSION}: {do}"
        )
        return
    ledger = Ledger(engine)
    ledger.try_writing()
    yield ok(
        DATABASE, f"{shown} can be read and written, and has this version's schema ({VERSION})"
    )
    yield _executor(engine, settings)
    keys = Cipher(settings.secrets).fingerprints
    running = ledger.running()
    strange = [each for each in running if each.key not in keys]
    if strange:
        yield wrong(
            EXECUTOR,
            f"BZ_SHARED_SECRET is not the one that running operations were recorded with "
            f"({len(strange)}): set BZ_SHARED_SECRET_PREVIOUS to the old one",
        )
    else:
        yield ok(EXECUTOR, f"{len(running)} running; script/operations list shows them")


def _executor(engine: sa.Engine, settings: Settings) -> Finding:
    url = sa.make_url(settings.database_url)
    # Requesting the lock would create its file, perhaps with a different owner than the service's
    # user.
    is_sqlite = url.get_backend_name() == "sqlite"
    has_lock = not is_sqlite or Path(f"{url.database}.lock").exists()
    if not has_lock or not is_taken(settings.database_url):
        return wrong(EXECUTOR, "no process is running them: start the service, or see its log")
    with engine.connect() as connection:
        began_ms = connection.execute(sa.select(sa.func.max(terms.c.began_ms))).scalar()
    if began_ms is None:
        return ok(EXECUTOR, "a process is about to run them")
    since = datetime.fromtimestamp(began_ms / 1000, timezone.utc)
    return ok(EXECUTOR, f"a process has been running them since {since:%Y-%m-%d %H:%M} UTC")


def _brief(error: BaseException) -> str:
    """Format an error without the statement and the values that SQLAlchemy would include."""
    return str(error.orig) if isinstance(error, sa.exc.DBAPIError) else str(error)
