"""Check that the database is usable, has this version, and has a process that runs operations."""

from collections.abc import Iterator
from datetime import datetime, timezone

import sqlalchemy as sa

from b2_iconik.common.errors import PluginError
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader_lock import is_taken
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.migrations import VERSION
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import holdings, terms
from b2_iconik.report.database_problem import opened
from b2_iconik.setup.findings import Finding, ok, wrong

PATIENCE = 5.0
DATABASE = "database"
EXECUTOR = "operations"
HOLDINGS = "on LucidLink"


def check(settings: Settings) -> Iterator[Finding]:
    """Check the database without creating or changing a table."""
    try:
        with opened(settings.database_url, PATIENCE) as engine:
            yield from _look_into(engine, settings)
    except PluginError as error:
        yield wrong(DATABASE, str(error).removeprefix("database "))


def _look_into(engine: sa.Engine, settings: Settings) -> Iterator[Finding]:
    shown = engine.url.render_as_string(hide_password=True)
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
    if not settings.iconik_token:
        yield from _times(engine)


def _times(engine: sa.Engine) -> Iterator[Finding]:
    """Say which assets the service can't remove, because it has no token to do so."""
    # Until iconik's time is known, only the duration is stored.
    is_timed = holdings.c.until_ms.is_not(None) | holdings.c.keep_ms.is_not(None)
    timed = sa.select(sa.func.count(holdings.c.asset_id.distinct())).where(is_timed)
    with engine.connect() as connection:
        number = connection.execute(timed).scalar_one()
    if number:
        assets = "1 asset" if number == 1 else f"{number} assets"
        yield wrong(
            HOLDINGS,
            f"{assets} will not be removed when their time is up: set ICONIK_TOKEN, and restart "
            "the service",
        )


def _executor(engine: sa.Engine, settings: Settings) -> Finding:
    if not is_taken(settings.database_url):
        return wrong(EXECUTOR, "no process is running them: start the service, or see its log")
    with engine.connect() as connection:
        began_ms = connection.execute(sa.select(sa.func.max(terms.c.began_ms))).scalar()
    if began_ms is None:
        return ok(EXECUTOR, "a process is about to run them")
    since = datetime.fromtimestamp(began_ms / 1000, timezone.utc)
    return ok(EXECUTOR, f"a process has been running them since {since:%Y-%m-%d %H:%M} UTC")
