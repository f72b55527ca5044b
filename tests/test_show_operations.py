"""The reports, as they are shown from the shell."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from database import connect
from ledger import Ledger
from show_operations import in_full, main
from tests.makers import ASSET, a_click, a_ledger, clicked

pytestmark = pytest.mark.usefixtures("own_environment")


@pytest.fixture
def database(own_environment: dict[str, str]) -> Iterator[sa.Engine]:
    """The database that the settings name, empty."""
    engine = connect("sqlite:///b2-iconik-plugin.sqlite", 5)
    Ledger(engine).create()
    yield engine
    engine.dispose()


@pytest.fixture
def failed(database: sa.Engine) -> str:
    """The id of an operation that failed."""
    operation = clicked(database, a_click("remove", asset_ids=(ASSET,)))
    ledger = a_ledger(database)
    ledger.expand(operation.number, 1, [ASSET], {"collection c": "iconik knows it no more"})
    ledger.fail(operation.number, "no token is good any more", 1000)
    return operation.id


def test_a_list_has_a_line_for_each_operation(
    failed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list"]) == 0
    assert capsys.readouterr().out == (
        f"{failed}  1970-01-01T00:00:00+00:00  Remove from LucidLink  failed                  "
        "1 asset, 1 undone\n"
    )


def test_an_empty_list_says_so(database: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "No operations yet.\n"


def test_a_list_can_be_had_as_json(failed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["operation_id"] == failed


def test_a_report_is_shown_in_full(failed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", failed]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Remove from LucidLink: failed",
        f"  operation  {failed}",
        "  selection  1 asset, formats ORIGINAL",
        "  recorded   1970-01-01T00:00:00+00:00, ended 1970-01-01T00:00:01+00:00",
        "  in all     1 asset, 1 undone",
        "  failure    no token is good any more",
        "  failed     collection c: iconik knows it no more",
    ]


def test_a_report_can_be_had_as_json(failed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", failed, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["failure"] == "no token is good any more"


def test_a_running_operation_has_not_ended() -> None:
    told = {
        "title": "Add to LucidLink",
        "result": "running",
        "operation_id": "o",
        "selection": "1 asset",
        "formats": ["ORIGINAL"],
        "recorded": "then",
        "ended": None,
        "counts": {"assets": 1},
        "failure": None,
        "problems": [],
    }
    assert "ended not yet" in in_full(told)


def test_an_unknown_operation_is_one_clear_line(
    database: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "unknown"]) == 1
    assert capsys.readouterr().err == "script/operations: there is no operation unknown\n"


def test_a_missing_setting_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ICONIK_ID")
    assert main(["list"]) == 1
    assert capsys.readouterr().err.startswith("script/operations: ICONIK_ID is not set")


def test_a_database_without_tables_is_one_clear_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("b2-iconik-plugin.sqlite").touch()
    assert main(["list"]) == 1
    assert "the database can't be read" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_not_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 1
    assert capsys.readouterr().err == (
        "script/operations: there is no database b2-iconik-plugin.sqlite: "
        "has the service been started?\n"
    )
    assert not Path("b2-iconik-plugin.sqlite").exists()
