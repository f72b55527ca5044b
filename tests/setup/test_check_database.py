"""What is said of the database, which is left as it is."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader_lock import only_one
from b2_iconik.domain.click import CustomAction
from b2_iconik.ledger import intake
from b2_iconik.ledger.database import connect, writing
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.migrations import VERSION
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import holdings
from b2_iconik.ledger.term import begin_term
from b2_iconik.setup import check_database
from tests.makers import a_click

SECRET = "secret-of-the-database-0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the SQLite file is."""
    return tmp_path / "plugin.sqlite"


@pytest.fixture
def own(settings: Settings, path: Path) -> Settings:
    """Settings with a database of the test's own, which isn't there yet."""
    return replace(settings, secret=SECRET, database_url=f"sqlite:///{path}")


@pytest.fixture
def ledger(own: Settings) -> Iterator[Ledger]:
    """The tables of that database."""
    engine = connect(own.database_url, 5.0)
    ledger = Ledger(engine)
    ledger.create()
    yield ledger
    engine.dispose()


def said(settings: Settings) -> list[tuple[str, str, str]]:
    """What, how it is, and the detail."""
    return [(each.what, each.state, each.detail) for each in check_database.check(settings)]


def wrong(settings: Settings) -> str:
    """The only thing that is wrong."""
    (detail,) = [detail for _, state, detail in said(settings) if state == "wrong"]
    return detail


def record(ledger: Ledger, settings: Settings, click: CustomAction) -> None:
    """Have an operation under way."""
    key = Cipher((settings.secret,)).fingerprints[0]
    with writing(ledger._engine) as connection:
        intake.record(connection, "1", click, digest=click.digest, sealed="", key=key, now_ms=1)


def hold(ledger: Ledger, *assets: str, **values: int | None) -> None:
    """Have two formats of each asset on LucidLink."""
    keys = ("ll_storage_id", "b2_storage_id", "operation_id")
    with writing(ledger._engine) as connection:
        for asset_id in assets:
            for name in ("ORIGINAL", "PPRO_PROXY"):
                row = {"asset_id": asset_id, "format_name": name, "number": 1, "since_ms": 1}
                connection.execute(
                    sa.insert(holdings).values(**dict.fromkeys(keys, "1"), **row, **values)
                )


def test_a_database_in_use_is_ok(own: Settings, ledger: Ledger, path: Path) -> None:
    with only_one(own.database_url):
        begin_term(ledger._engine, 1_700_000_000_000)
        assert said(own) == [
            (
                "database",
                "ok",
                f"sqlite:///{path} can be read and written, and has this version's "
                f"schema ({VERSION})",
            ),
            ("operations", "ok", "a process has been running them since 2023-11-14 22:13 UTC"),
            ("operations", "ok", "0 running; script/operations list shows them"),
        ]


def test_a_process_that_just_begins_is_ok(own: Settings, ledger: Ledger) -> None:
    with only_one(own.database_url):
        assert ("operations", "ok", "a process is about to run them") in said(own)


def test_a_database_that_is_not_there_is_told_and_not_made(own: Settings, path: Path) -> None:
    assert f"{path} does not exist: start the service once" in wrong(own)
    assert not path.exists()


def test_that_nobody_runs_operations_is_told_and_no_lock_is_made(
    own: Settings, ledger: Ledger, path: Path
) -> None:
    assert "no process is running them" in wrong(own)
    assert not Path(f"{path}.lock").exists()


def test_a_lock_that_nobody_holds_is_told(own: Settings, ledger: Ledger, path: Path) -> None:
    Path(f"{path}.lock").touch()
    assert "no process is running them" in wrong(own)


def test_operations_of_another_secret_are_told(own: Settings, ledger: Ledger) -> None:
    with only_one(own.database_url):
        record(ledger, own, a_click())
        assert ("operations", "ok", "1 running; script/operations list shows them") in said(own)
        told = wrong(replace(own, secret="another"))
        assert told.startswith("BZ_SHARED_SECRET is not the one that running operations")
        assert ("operations", "ok") in {
            each[:2] for each in said(replace(own, secret="new", previous_secret=SECRET))
        }


@pytest.mark.parametrize(
    ("assets", "told"),
    [(("1",), "1 asset will not be removed"), (("1", "2"), "2 assets will not be")],
)
@pytest.mark.parametrize("column", ["until_ms", "keep_ms"])
def test_without_a_token_the_assets_that_are_not_removed_are_told(
    own: Settings, ledger: Ledger, assets: tuple[str, ...], told: str, column: str
) -> None:
    hold(ledger, *assets, **{column: 1})
    hold(ledger, "3")
    with only_one(own.database_url):
        assert wrong(replace(own, iconik_token=None)).startswith(told)


@pytest.mark.parametrize(("token", "until_ms"), [("token", 1), (None, None)])
def test_assets_that_are_removed_or_have_no_time_are_no_problem(
    own: Settings, ledger: Ledger, token: str | None, until_ms: int | None
) -> None:
    hold(ledger, "1", until_ms=until_ms)
    with only_one(own.database_url):
        states = {state for _, state, _ in said(replace(own, iconik_token=token))}
    assert states == {"ok"}


def test_a_file_whose_owner_alone_may_change_its_mode_is_told(
    own: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    assert "cannot be read and written: run this with sudo" in wrong(own)


def test_a_file_with_two_names_is_told(own: Settings, ledger: Ledger, path: Path) -> None:
    os.link(path, path.parent / "second")
    assert "names a file that has a second name (a hard link)" in wrong(own)


def test_a_password_is_not_shown(settings: Settings) -> None:
    url = "postgresql+psycopg://plugin:hunter2@127.0.0.1:1/plugin"
    told = wrong(replace(settings, database_url=url))
    assert told.startswith("'plugin' on 127.0.0.1:1 cannot be reached (Connection refused): ")
    assert "hunter2" not in told
