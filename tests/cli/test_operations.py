"""Operations, as they are shown, stopped and tried again from the shell."""

import getpass
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from b2_iconik.cli import watch
from b2_iconik.cli.operations import main
from b2_iconik.common import settings as settings_module
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain import advice
from b2_iconik.domain.click import Action, CustomAction
from b2_iconik.domain.operation import Operation, Origin
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.tables import assets, operations
from b2_iconik.report.contents import OPERATIONS_A_PAGE
from b2_iconik.report.lucidlink import ASSETS_A_PAGE
from b2_iconik.web.pages import create_pages
from tests.makers import (
    ASSET,
    a_click,
    a_ledger,
    claims_of,
    clicked,
    completion,
    expanded,
    found,
    half_done,
    hold,
    make_tables,
)
from tests.terminal import a_terminal, seen_on

# Has something happen at each wait.
AtWait = Callable[[Callable[[], object]], None]
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("own_environment")


class Shell:
    """Runs the command, and tells what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def out(self, *arguments: str) -> str:
        """Run it to a good end; returns what is on its standard output."""
        assert main(arguments) == 0
        return self._capsys.readouterr().out

    def err(self, *arguments: str) -> str:
        """Have it fail; returns what is on its standard error."""
        assert main(arguments) == 1
        return self._capsys.readouterr().err


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def database(own_environment: dict[str, str]) -> Iterator[sa.Engine]:
    """The database that the settings name, empty."""
    make_tables(Path("b2-iconik-plugin.sqlite"))
    engine = connect("sqlite:///b2-iconik-plugin.sqlite", 5)
    yield engine
    engine.dispose()


@pytest.fixture
def pages(database: sa.Engine) -> Iterator[FlaskClient]:
    """The operations page of the same database."""
    settings = settings_module.load()
    recorder = Recorder(settings)
    app = Flask(__name__)
    app.register_blueprint(create_pages(settings, recorder))
    with app.test_client() as client:
        yield client
    recorder.close()


def page(pages: FlaskClient, path: str) -> Any:
    """The JSON of a page."""
    secret = settings_module.load().secret
    return pages.get(path, auth=("ada", secret), headers={"Accept": "application/json"}).json


@pytest.fixture
def failed(database: sa.Engine) -> str:
    """The id of an operation that failed."""
    operation = clicked(database, a_click("remove", asset_ids=(ASSET,)))
    ledger = a_ledger(database)
    ledger.expand(
        operation.number, dict.fromkeys([ASSET]), {"collection c": "it no longer exists in iconik"}
    )
    completion(database).fail(operation.number, "no token is good any more", 1000)
    completion(database).sum_up(operation.id)
    return operation.id


@pytest.mark.usefixtures("in_new_york")
def test_a_list_has_a_line_for_each_operation(failed: str, shell: Shell) -> None:
    assert shell.out("list") == (
        f"failed  Remove: 1 asset  1 not finished  31 Dec 19:00  {failed[:8]}\n"
    )


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_on_a_terminal_of_any_width_a_list_fits(
    database: sa.Engine, failed: str, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    with database.begin() as connection:
        connection.execute(sa.update(operations).values(title=f"Remove from LucidLink: {'x' * 99}"))
    (line,) = on_a_terminal(monkeypatch, ["list"], columns)
    assert "…" in line


def test_in_a_pipe_nothing_is_cut_whatever_columns_says(
    database: sa.Engine, failed: str, monkeypatch: pytest.MonkeyPatch, shell: Shell
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    with database.begin() as connection:
        connection.execute(sa.update(operations).values(title=f"Remove from LucidLink: {'x' * 99}"))
    assert "x" * 99 in shell.out("list")


def test_an_empty_list_says_so(database: sa.Engine, shell: Shell) -> None:
    assert shell.out("list") == "No operations.\n"


def test_a_list_can_be_had_as_json(failed: str, shell: Shell) -> None:
    told = json.loads(shell.out("list", "--json"))
    assert [each["operation_id"] for each in told["operations"]] == [failed]
    assert told["operations"][0]["recorded"] == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize("arguments", [[], ["--state", "failed", "--limit", "1"]])
def test_the_json_of_a_list_is_that_of_the_operations_page(
    database: sa.Engine, failed: str, pages: FlaskClient, shell: Shell, arguments: list[str]
) -> None:
    told = json.loads(shell.out("list", "--json", *arguments))
    state = "failed" if arguments else ""
    assert told == page(pages, f"/operations?state={state}")


def test_the_json_of_a_list_says_where_it_goes_on(
    database: sa.Engine, failed: str, pages: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(OPERATIONS_A_PAGE):
        clicked(database, a_click("remove", asset_ids=(f"b{number}",)))
    main(["list", "--json", "--action", "remove", "--limit", str(OPERATIONS_A_PAGE)])
    (older,) = page(pages, json.loads(capsys.readouterr().out)["older"])["operations"]
    assert older["operation_id"] == failed


@pytest.mark.usefixtures("in_new_york")
def test_a_report_is_shown_in_full(failed: str, shell: Shell) -> None:
    assert shell.out("show", failed).splitlines() == [
        "Remove from LucidLink: 1 asset, failed",
        "  clicked by      user unknown",
        "  selection       1 asset, formats ORIGINAL",
        "  clicked         1969-12-31 19:00:00 EST, ended 1969-12-31 19:00:01 EST",
        "  total           1 asset, 1 not finished",
        "  failure         no token is good any more",
        f"  what to do      {advice.USUAL}",
        f"  operation       {failed}",
        "",
        "  failed          collection c: it no longer exists in iconik",
        f"  what to do      {advice.USUAL}",
    ]


def test_a_report_can_be_had_as_json(failed: str, shell: Shell) -> None:
    told = json.loads(shell.out("show", failed, "--json"))
    assert told["failure"] == "no token is good any more"
    assert [each["asset_id"] for each in told["problems"]] == ["collection c"]
    assert [each["asset_id"] for each in told["report"]] == ["collection c", ASSET]


@pytest.mark.parametrize("fixture", ["failed", "kept"])
def test_the_json_of_a_report_is_that_of_the_operations_page(
    database: sa.Engine,
    pages: FlaskClient,
    request: pytest.FixtureRequest,
    shell: Shell,
    fixture: str,
) -> None:
    request.getfixturevalue(fixture)
    with database.begin() as connection:
        connection.execute(sa.update(operations).values(id=FIRST))
    told = json.loads(shell.out("show", FIRST, "--json"))
    del told["problems"]
    assert told == page(pages, f"/operations/{FIRST}")


def test_json_has_letters_as_they_are(
    database: sa.Engine, failed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.begin() as connection:
        connection.execute(sa.update(operations).values(title="Remove from LucidLink: Tür"))
    for command in (["list"], ["show", failed]):
        main([*command, "--json"])
        assert "Tür" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["list", "show"])
def test_json_is_valid_in_a_locale_without_its_letters(
    database: sa.Engine, failed: str, command: str
) -> None:
    with database.begin() as connection:
        connection.execute(sa.update(operations).values(title="Remove from LucidLink: 夏"))
    arguments = [failed] if command == "show" else []
    done = in_locale("ascii", command, *arguments, "--json")
    assert "Remove from LucidLink: 夏" in str(json.loads(done.decode("utf-8")))


@pytest.mark.parametrize("command", ["list", "show"])
def test_a_locale_without_its_letters_shows_the_rest(
    database: sa.Engine, failed: str, command: str
) -> None:
    with database.begin() as connection:
        connection.execute(sa.update(operations).values(title="Remove from LucidLink: Tür 夏"))
    done = in_locale("latin-1", command, *([failed] if command == "show" else []))
    assert "Tür ?" in done.decode("latin-1")


def in_locale(encoding: str, *arguments: str) -> bytes:
    """What the program prints where standard output has this encoding."""
    return subprocess.run(
        [sys.executable, str(ROOT / "show_operations.py"), *arguments],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    ).stdout


def test_all_that_came_of_it_is_shown_where_that_is_asked_for(kept: str, shell: Shell) -> None:
    assert shell.out("show", kept, "--all").splitlines()[-3:] == [
        "  kept on LucidLink  untitled asset a2 ORIGINAL: it differs",
        f"  what to do      {advice.USUAL}",
        "  removed         untitled asset a1 ORIGINAL",
    ]
    told = json.loads(shell.out("show", kept, "--all", "--json"))
    assert [each["kind"] for each in told["report"]] == ["kept", "removed"]
    assert told["problems"] == told["report"][:1]


def test_what_came_of_one_asset_is_shown(kept: str, shell: Shell) -> None:
    assert shell.out("show", kept, "a1").splitlines() == [
        "untitled asset a1",
        "  removed         ORIGINAL",
        "  asset           a1",
        f"  operation       {kept}",
    ]
    assert (
        json.loads(shell.out("show", kept, "a2", "--json"))["report"][0]["reason"] == "it differs"
    )


def test_an_asset_that_an_operation_is_not_about_is_one_clear_line(kept: str, shell: Shell) -> None:
    assert shell.err("show", kept, "a3") == (
        f"script/operations: asset a3: operation {kept} does not include it, or "
        "has not listed it yet\n"
    )


def test_one_asset_and_all_of_them_are_not_asked_for_at_once(
    kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["show", kept, "a1", "--all"])
    assert "not allowed with" in capsys.readouterr().err


def test_what_iconik_says_tells_a_terminal_nothing(database: sa.Engine, shell: Shell) -> None:
    operation = clicked(database, a_click())
    completion(database).fail(operation.number, "bad\x1b[2J\nclip é", 1)
    assert "  failure         bad\\x1b[2J\\nclip é\n" in shell.out("show", operation.id)


def test_a_missing_setting_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, shell: Shell) -> None:
    monkeypatch.delenv("ICONIK_ID")
    assert shell.err("list").startswith("script/operations: ICONIK_ID is not set")


def test_a_database_that_cannot_be_used_is_one_clear_line(
    shell: Shell,
) -> None:
    Path("b2-iconik-plugin.sqlite").touch()
    told = shell.err("list")
    assert "b2-iconik-plugin.sqlite has no tables of this service: correct DATABASE_URL" in told
    assert told.count("\n") == 1


def test_a_database_that_is_not_there_is_not_made(shell: Shell) -> None:
    assert "b2-iconik-plugin.sqlite does not exist: start the" in shell.err("list")
    assert not Path("b2-iconik-plugin.sqlite").exists()


def test_a_list_can_be_filtered(failed: str, shell: Shell) -> None:
    assert shell.out("list", "--state", "running") == "No operations.\n"
    assert shell.out(
        "list", "--state", "failed", "--action", "remove", "--text", ASSET, "--limit", "1"
    ).startswith("failed  Remove: 1 asset")


def test_a_list_can_be_of_one_user(failed: str, database: sa.Engine, shell: Shell) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE plugin_operations SET user_name = 'Ana Ruiz'")
    assert shell.out("list", "--user", "ben") == "No operations.\n"
    assert shell.out("list", "--user", "ana").endswith(f"{failed[:8]}\n")


@pytest.mark.parametrize("limit", ["0", "1001", "many"])
def test_a_limit_is_a_number_of_operations(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["list", "--limit", limit])
    assert "--limit" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 300])
def test_a_reader_that_has_gone_is_no_error(
    failed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr("b2_iconik.cli.operations.listed", lambda told, _: f"{told}\n" * count)
    with os.fdopen(writer, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        assert main(["list"]) == 128 + signal.SIGPIPE
    assert capsys.readouterr().err == ""


def test_nor_is_it_when_the_process_ends(failed: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(ROOT / "show_operations.py"), "list", "--json"]
    ended = subprocess.run(
        command,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert ended.returncode == 128 + signal.SIGPIPE
    assert ended.stderr == b""


# Stop


@pytest.fixture
def running(database: sa.Engine) -> Operation:
    """An operation that has two assets to come to."""
    return expanded(database, a_click(), ["a1", "a2"])


@pytest.fixture
def typed_by_ada(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "ada")


@pytest.mark.usefixtures("typed_by_ada")
def test_a_running_operation_is_asked_to_stop(
    database: sa.Engine, running: Operation, shell: Shell
) -> None:
    assert shell.out("stop", running.id) == "The operation will stop at its next safe point.\n"
    assert found(database, running.id).stop_by == "ada with script/operations"


def test_a_stop_can_be_told_as_json(running: Operation, shell: Shell) -> None:
    assert json.loads(shell.out("stop", running.id, "--json"))["operation_id"] == running.id


def test_what_has_ended_is_not_stopped(failed: str, shell: Shell) -> None:
    assert shell.err("stop", failed) == f"script/operations: operation {failed} has already ended\n"


@pytest.mark.parametrize("command", ["show", "watch", "stop", "retry", "preview", "remove"])
def test_an_id_that_is_nobodys_is_named(database: sa.Engine, shell: Shell, command: str) -> None:
    told = shell.err(command, "unknown")
    missing = "operation unknown does not exist, or is no longer stored"
    assert told == f"script/operations: {missing}\n"


# Short ids


def alike(engine: sa.Engine, *ids: str) -> None:
    """Operations with these ids."""
    for id_ in ids:
        operation = clicked(engine, a_click("remove", asset_ids=(ASSET,)))
        with engine.begin() as connection:
            is_it = operations.c.number == operation.number
            connection.execute(sa.update(operations).where(is_it).values(id=id_))


FIRST = "1b9d0c1e-0000-4000-8000-000000000001"
SECOND = "1b9d0c1e-1111-4000-8000-000000000001"
URL = f"https://plugin.example.com/operations/{FIRST}?format=json"


@pytest.mark.parametrize("given", ["1b9d", "1B9D0C1E", FIRST, FIRST.upper(), URL])
def test_a_short_id_or_an_address_is_as_good_as_an_id(
    database: sa.Engine, shell: Shell, given: str
) -> None:
    alike(database, FIRST)
    assert json.loads(shell.out("show", given, "--json"))["operation_id"] == FIRST


@pytest.mark.parametrize("command", ["watch", "stop", "retry", "preview", "remove"])
def test_every_command_takes_short_ids(
    database: sa.Engine, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    alike(database, FIRST)
    completion(database).fail(found(database, FIRST).number, "no token", 1)
    main([command, "1b9d"])
    told = capsys.readouterr()
    assert FIRST in told.out + told.err
    assert "does not exist" not in told.err


@pytest.mark.parametrize("command", ["show", "watch", "stop", "retry", "preview", "remove"])
def test_an_ambiguous_id_is_refused_with_the_candidates(
    database: sa.Engine, shell: Shell, command: str
) -> None:
    alike(database, FIRST, SECOND)
    assert shell.err(command, "1b9d0c1e") == (
        "script/operations: operation 1b9d0c1e is ambiguous: "
        "Remove from LucidLink: 1 asset (1b9d0c1e-111); "
        "Remove from LucidLink: 1 asset (1b9d0c1e-000)\n"
    )


def test_an_id_is_not_taken_for_the_start_of_another(database: sa.Engine, shell: Shell) -> None:
    alike(database, "1b9d0", "1b9d")
    assert json.loads(shell.out("show", "1b9d", "--json"))["operation_id"] == "1b9d"


@pytest.mark.parametrize("given", ["1b9", ""])
def test_too_short_an_id_is_refused(database: sa.Engine, shell: Shell, given: str) -> None:
    alike(database, FIRST)
    assert "give at least 4 characters of its id" in shell.err("show", given)


@pytest.mark.parametrize("given", ["____", "%%%%", "9d0c"])
def test_only_the_start_of_an_id_counts(database: sa.Engine, shell: Shell, given: str) -> None:
    alike(database, FIRST)
    assert "does not exist" in shell.err("show", given)


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_told_by_number(
    database: sa.Engine, running: Operation, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    main(["stop", running.id])
    assert found(database, running.id).stop_by == f"{os.getuid()} with script/operations"


# Retry


@pytest.fixture
def recorder(database: sa.Engine) -> Iterator[Recorder]:
    """What the service records with."""
    recorder = Recorder(settings_module.load())
    yield recorder
    recorder.close()


def ended(
    engine: sa.Engine,
    recorder: Recorder,
    action: Action,
    outcomes: Mapping[str, Mapping[str, Outcome]],
    formats: tuple[str, ...] = ("ORIGINAL",),
) -> str:
    """The id of an operation that has ended, with these outcomes by asset and format."""
    operation_id, _ = recorder.record(
        CustomAction(action, "b2", "ll", formats, "BULK", tuple(outcomes))
    )
    operation, ledger = found(engine, operation_id), a_ledger(engine)
    ledger.expand(operation.number, dict.fromkeys(outcomes), {})
    claims = claims_of(engine, operation)
    for held in claims.take(len(outcomes), 0):
        claims.note(held, "done", outcomes[held.asset_id])
    completion(engine).end(operation, 1)
    completion(engine).sum_up(operation.id)
    return operation_id


@pytest.fixture
def kept(database: sa.Engine, recorder: Recorder) -> str:
    """The id of an operation that kept one of two assets."""
    outcomes = {"a1": Outcome("removed"), "a2": Outcome("kept", Reason("it differs"))}
    by_asset = {each: {"ORIGINAL": one} for each, one in outcomes.items()}
    return ended(database, recorder, "remove", by_asset)


@pytest.mark.usefixtures("typed_by_ada")
def test_what_was_kept_is_tried_again(
    database: sa.Engine,
    recorder: Recorder,
    kept: str,
    shell: Shell,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = re.fullmatch(r"Recorded as (\S+)\n", shell.out("retry", kept))
    assert said
    assert recorder.click_of(said[1]).asset_ids == ("a2",)
    main(["show", said[1]])
    assert (
        f"  origin          retry of {kept}, by ada with script/operations"
        in capsys.readouterr().out
    )


def test_everything_is_done_again(recorder: Recorder, kept: str, shell: Shell) -> None:
    told = json.loads(shell.out("retry", kept, "--everything", "--json"))
    assert told["is_new"]
    assert recorder.click_of(told["operation_id"]).asset_ids == ("a1", "a2")


def test_what_cannot_be_recorded_is_one_clear_line(
    database: sa.Engine, kept: str, shell: Shell
) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON plugin_operations "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    assert "could not be recorded" in shell.err("retry", kept)


@pytest.mark.usefixtures("typed_by_ada")
@pytest.mark.parametrize("as_json", [True, False])
def test_a_remove_is_undone(
    database: sa.Engine, recorder: Recorder, kept: str, as_json: bool, shell: Shell
) -> None:
    with database.begin() as connection:
        marked = AssetProgress(marked={"fs": Deletion("ORIGINAL")}).as_json()
        of_one = sa.update(assets).where(assets.c.asset_id == "a1")
        connection.execute(of_one.values(progress=marked))
    out = shell.out("undo", kept, *(["--json"] if as_json else []))
    (new_id,) = json.loads(out)["operation_ids"] if as_json else [out.split()[-1]]
    click = recorder.click_of(new_id)
    assert (click.action, click.asset_ids) == ("undo", ("a1",))


def test_what_is_left_of_a_remove_without_marks_cannot_be_undone(kept: str, shell: Shell) -> None:
    assert f"operation {kept} cannot be undone: it removed nothing" in shell.err("undo", kept)


# Preview and remove

DIFFERS = Reason("clip.mov differs from its master", Cause.DIFFERS)


@pytest.fixture
def preview(database: sa.Engine, recorder: Recorder) -> str:
    """The id of a preview that found something of everything."""
    found_by_asset = {
        "a1": {
            "ORIGINAL": Outcome("removable", proof="checksum", size=2_000_000_000),
            "PROXY": Outcome("removable", proof="size", size=1_000),
        },
        "a2": {
            "ORIGINAL": Outcome("removable", proof="size, by records alone", size=500_000_000),
            "PROXY": Outcome("absent"),
        },
        "a3": {"ORIGINAL": Outcome("uncopied", size=70), "PROXY": Outcome("uncopied", size=30)},
        "a4": {"ORIGINAL": Outcome("kept", DIFFERS, size=5), "PROXY": Outcome("failed", DIFFERS)},
    }
    return ended(database, recorder, "preview", found_by_asset, ("ORIGINAL", "PROXY"))


def test_what_a_preview_found_is_shown_by_format(preview: str, shell: Shell) -> None:
    assert shell.out("preview", preview[:8]).splitlines() == [
        "Preview removal from LucidLink: 4 assets, partly done",
        "  ORIGINAL        2 removable (1 by checksum, 1 by size, 1 of them by iconik's records "
        "alone): 2.5 GB",
        "                  1 would first be copied to B2: 70 bytes",
        "                  1 kept on LucidLink: 5 bytes",
        "  PROXY           1 removable (1 by size): 1 KB",
        "                  1 would first be copied to B2: 30 bytes",
        "                  1 already off LucidLink",
        "                  1 failed",
        "  would be freed  2.5 GB at once, 100 bytes more after copies to B2",
        f"  operation       {preview}",
        "",
        f"  kept on LucidLink  untitled asset a4 ORIGINAL: {DIFFERS}; failed PROXY: {DIFFERS}",
        f"  what to do      {advice.REMEDIES[Cause.DIFFERS]}",
    ]


def test_what_a_preview_found_can_be_had_as_json(preview: str, shell: Shell) -> None:
    told = json.loads(shell.out("preview", preview, "--json"))
    assert (told["operation_id"], told["bytes"]) == (
        preview,
        {"once": 2_500_001_000, "later": 100},
    )
    assert told["formats"]["ORIGINAL"] == {
        "removable": {
            "assets": 2,
            "bytes": 2_500_000_000,
            "by_checksum": 1,
            "by_size": 1,
            "by_records": 1,
        },
        "uncopied": {"assets": 1, "bytes": 70},
        "kept": {"assets": 1, "bytes": 5},
    }
    assert [(each["format"], each["kind"]) for each in told["problems"]] == [
        ("ORIGINAL", "kept"),
        ("PROXY", "failed"),
    ]


def test_on_a_terminal_of_80_columns_what_a_preview_found_fits(
    preview: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = on_a_terminal(monkeypatch, ["preview", preview], 80)
    assert max(map(len, lines)) <= 80
    assert lines[2] == "                  records alone): 2.5 GB"


def test_a_preview_that_failed_says_why(database: sa.Engine, shell: Shell) -> None:
    operation = clicked(database, a_click("preview", asset_ids=(ASSET,)))
    completion(database).fail(operation.number, "no token is good any more", 1)
    completion(database).sum_up(operation.id)
    told = shell.out("preview", operation.id)
    assert "  ORIGINAL        1 not finished\n" in told
    assert "  would be freed  0 bytes at once\n" in told
    assert "  failure         no token is good any more\n" in told


def test_only_a_preview_has_found_something(kept: str, shell: Shell) -> None:
    assert shell.err("preview", kept) == (
        f"script/operations: operation {kept} is not a preview: show prints its report\n"
    )


def test_a_preview_that_still_runs_has_not_found_everything(
    database: sa.Engine, shell: Shell
) -> None:
    operation = clicked(database, a_click("preview", asset_ids=(ASSET,)))
    assert shell.err("preview", operation.id) == (
        f"script/operations: operation {operation.id} is still running: watch follows it\n"
    )


@pytest.mark.usefixtures("typed_by_ada")
def test_exactly_what_was_removable_is_removed(
    database: sa.Engine, recorder: Recorder, preview: str, shell: Shell
) -> None:
    said = re.fullmatch(r"Recorded as (\S+), (\S+)\n", shell.out("remove", preview))
    assert said
    clicks = [recorder.click_of(each) for each in said.groups()]
    assert [(each.formats, each.asset_ids) for each in clicks] == [
        (("ORIGINAL", "PROXY"), ("a1",)),
        (("ORIGINAL",), ("a2",)),
    ]
    origin = Origin(preview, "ada with script/operations", "preview")
    assert found(database, said[1]).origin == origin


def test_a_preview_tells_what_removes_what_it_found(preview: str, shell: Shell) -> None:
    told = json.loads(shell.out("remove", preview, "--json"))
    lines = shell.out("preview", preview).splitlines()
    for each in told["operation_ids"]:
        assert f"  removed as      {each}, running" in lines


def test_what_is_no_preview_removes_nothing(kept: str, shell: Shell) -> None:
    assert shell.err("remove", kept) == (
        f"script/operations: operation {kept} removes nothing: it is not a preview\n"
    )


# Watch


@pytest.fixture
def at_wait(monkeypatch: pytest.MonkeyPatch) -> AtWait:
    """Has something happen whenever somebody who watches waits."""

    def at_wait(happen: Callable[[], object]) -> None:
        monkeypatch.setattr(watch, "sleep", lambda _: happen())

    return at_wait


def done_one_by_one(engine: sa.Engine, operation: Operation) -> Callable[[], None]:
    """Has an operation get on by one asset, or end."""
    claims = claims_of(engine, operation)

    def get_on() -> None:
        for held in claims.take(1, 0):
            claims.note(held, "done", {"ORIGINAL": Outcome("there")})
            return
        completion(engine).end(operation, 1)
        completion(engine).sum_up(operation.id)

    return get_on


def test_in_a_pipe_each_change_is_a_line(
    database: sa.Engine, running: Operation, at_wait: AtWait, shell: Shell
) -> None:
    at_wait(done_one_by_one(database, running))
    lines = shell.out("watch", running.id).splitlines()
    assert [each.split("  ")[2] for each in lines[:4]] == [
        "0 of 2 assets",
        "1 of 2 assets",
        "2 of 2 assets",
        "2 already there",
    ]
    assert lines[4] == "Add to LucidLink: 1 collection, nothing to do"
    assert "\x1b" not in "".join(lines)


def test_each_change_can_be_had_as_json(
    database: sa.Engine, running: Operation, at_wait: AtWait, capsys: pytest.CaptureFixture[str]
) -> None:
    at_wait(done_one_by_one(database, running))
    assert main(["watch", "--json"]) == 0
    told = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    assert [each["assets_done"] for each in told] == [0, 1, 2, 2]
    assert told[-1]["result"] == "nothing to do"


def test_what_has_not_changed_is_not_told_again(
    database: sa.Engine, running: Operation, at_wait: AtWait, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = []
    get_on = done_one_by_one(database, running)

    def get_on_at_last() -> None:
        waits.append(1)
        if len(waits) > 3:
            get_on()

    at_wait(get_on_at_last)
    main(["watch"])
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_on_a_terminal_bars_are_drawn_in_place(
    database: sa.Engine,
    running: Operation,
    at_wait: AtWait,
    monkeypatch: pytest.MonkeyPatch,
    shell: Shell,
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    at_wait(done_one_by_one(database, running))
    shown = shell.out("watch")
    assert f"{'█' * 12}{'░' * 12}  1 of 2 assets, running" in shown
    assert shown.count("\x1b[1F\x1b[J") == 3
    assert shown.endswith(f"  {running.id[:8]}\n")


def on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], columns: int, rows: int = 24
) -> list[str]:
    """Run the command on a terminal; returns what a person sees there at its end."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LINES", raising=False)
    with a_terminal(columns, rows) as (output, reader):
        monkeypatch.setattr("sys.stdout", output)
        monkeypatch.setattr("sys.__stdout__", output)
        main(arguments)
        return seen_on(reader, columns, rows)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_of_any_width_each_operation_has_one_line(
    database: sa.Engine,
    running: Operation,
    at_wait: AtWait,
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
) -> None:
    expanded(database, a_click(), [f"asset-{number}" for number in range(12_000)])
    ends = [done_one_by_one(database, running)] * 3

    def get_on() -> None:
        if not ends:
            raise KeyboardInterrupt
        ends.pop()()

    at_wait(get_on)
    first, second = on_a_terminal(monkeypatch, ["watch"], columns)
    assert first.startswith("Add: 1 col")
    assert second.startswith("Add: 1 col")
    assert len(first) < columns
    assert len(second) < columns


def test_on_a_terminal_of_80_columns_there_is_room_for_how_it_stands(
    running: Operation, at_wait: AtWait, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    at_wait(interrupt)
    (line,) = on_a_terminal(monkeypatch, ["watch"], 80)
    assert "░  0 of 2 assets, running, " in line


def test_a_line_that_is_cut_says_so(
    database: sa.Engine, running: Operation, at_wait: AtWait, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_wait(done_one_by_one(database, running))
    (line,) = on_a_terminal(monkeypatch, ["watch"], 50)
    assert "…" in line


def test_a_long_line_of_a_report_goes_on_below_its_text(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = on_a_terminal(monkeypatch, ["show", kept], 60)
    assert lines[-1].startswith(" " * 18)
    assert max(map(len, lines)) <= 60


def test_more_operations_than_a_terminal_has_lines_leave_nothing_behind(
    database: sa.Engine, at_wait: AtWait, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        expanded(database, a_click(), ["a1"])
    looks = iter(range(3))

    def interrupt() -> None:
        if next(looks) == 2:
            raise KeyboardInterrupt

    at_wait(interrupt)
    assert len(on_a_terminal(monkeypatch, ["watch"], 80, 5)) == 4


@pytest.mark.parametrize(
    ("is_terminal", "said"), [(True, "No operation is running.\n"), (False, "")]
)
def test_where_nothing_runs_there_is_nothing_to_watch(
    failed: str, monkeypatch: pytest.MonkeyPatch, shell: Shell, is_terminal: bool, said: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    assert shell.out("watch") == said


def test_who_has_seen_enough_interrupts_it(running: Operation, at_wait: AtWait) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    at_wait(interrupt)
    assert main(["watch", running.id]) == 130


def test_who_stopped_an_operation_is_told(
    database: sa.Engine, running: Operation, shell: Shell
) -> None:
    a_ledger(database).ask_to_stop(running.id, "Ada", 1)
    assert "  stopped by      Ada\n" in shell.out("show", running.id)


# What is on LucidLink


def test_what_is_on_lucidlink_has_a_line_for_each_asset(database: sa.Engine, shell: Shell) -> None:
    hold(database, "beach", "ORIGINAL", "PROXY", user_name="Ada")
    assert shell.out("lucidlink").splitlines() == [
        "Beach  ORIGINAL, PROXY  2 KB  until removed by hand  Ada",
        "1 asset, 2 KB",
    ]


def test_what_is_on_lucidlink_fits_on_a_terminal(
    database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(database, "beach", title="Beach " * 20, user_name="Maximiliane von Hohenstein")
    line, _ = on_a_terminal(monkeypatch, ["lucidlink"], 80)
    assert "…" in line


@pytest.mark.parametrize(
    ("arguments", "assets"),
    [
        (["--due", "unlimited"], 1),
        (["--due", "overdue"], 0),
        (["--text", "BEA"], 1),
        (["--user", "ben"], 0),
        (["--format", "ORIGINAL", "--user", "ada"], 1),
        (["--format", "PROXY"], 0),
    ],
)
def test_what_is_on_lucidlink_can_be_filtered(
    database: sa.Engine, shell: Shell, arguments: list[str], assets: int
) -> None:
    hold(database, "beach", user_name="Ada")
    assert shell.out("lucidlink", *arguments).splitlines()[-1].startswith(f"{assets} asset")


@pytest.mark.parametrize("limit", ["50", "100"])
def test_the_json_of_what_is_on_lucidlink_is_that_of_the_page(
    database: sa.Engine, pages: FlaskClient, shell: Shell, limit: str
) -> None:
    hold(database, "beach", "ORIGINAL", "PROXY")
    told = json.loads(shell.out("lucidlink", "--json", "--format", "PROXY", "--limit", limit))
    assert told == page(pages, "/lucidlink?format_name=PROXY")


def test_the_json_of_what_is_on_lucidlink_says_where_it_goes_on(
    database: sa.Engine, pages: FlaskClient, shell: Shell
) -> None:
    for number in range(ASSETS_A_PAGE + 1):
        hold(database, f"a{number:02}")
    told = json.loads(shell.out("lucidlink", "--json", "--format", "ORIGINAL"))
    assert told["more"] == "/lucidlink?format_name=ORIGINAL&page=2"
    assert len(page(pages, told["more"])["assets"]) == 1


def test_without_a_token_the_shell_says_that_nothing_is_removed(
    database: sa.Engine, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ICONIK_TOKEN")
    assert "Nothing is removed automatically" in shell.out("lucidlink")


# Protected assets

CLIP = "5b1d1b9d-0000-4000-8000-000000000001"


@pytest.fixture
def beach(database: sa.Engine, own_loggers: None) -> str:
    """The id of an asset that an operation has touched."""
    expanded(database, a_click("remove"), [CLIP])
    return CLIP


@pytest.fixture
def in_november(monkeypatch: pytest.MonkeyPatch, own_loggers: None) -> None:
    """It is 5 November 2026."""
    monkeypatch.setattr("b2_iconik.cli.operations.now_ms", lambda: 1_793_880_000_000)
    monkeypatch.setenv("SUDO_USER", "ada")


@pytest.mark.usefixtures("in_november")
def test_an_asset_is_protected_and_that_is_lifted(
    beach: str, pages: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"https://iconik.test/asset/{beach.upper()}/view"
    assert main(["protect", address, "--until", "2026-12-31"]) == 0
    said = capsys.readouterr()
    by = "ada with script/operations"
    assert said.out == "Protected until 2026-12-31.\n"
    assert f"audit: protected asset {beach} until 2026-12-31, by {by}\n" in said.err
    assert page(pages, f"/assets/{beach}")["protection"]["by"] == by
    assert main(["lift", beach, "--reason", "it is locked"]) == 0
    said = capsys.readouterr()
    assert said.out == f"Lifted: it was protected by {by} until 2026-12-31.\n"
    assert f"by {by} until 2026-12-31, by {by}: it is locked\n" in said.err
    assert page(pages, f"/assets/{beach}")["protection"] is None


@pytest.mark.usefixtures("in_november")
def test_what_is_said_of_a_protection_can_be_had_as_json(beach: str, shell: Shell) -> None:
    told = json.loads(shell.out("protect", beach, "--until", "2026-12-31", "--json"))
    assert told == {
        "asset_id": beach,
        "until": "2026-12-31",
        "message": "Protected until 2026-12-31.",
    }
    told = json.loads(shell.out("lift", beach, "--reason", "it is locked", "--json"))
    by = "ada with script/operations"
    message = f"Lifted: it was protected by {by} until 2026-12-31."
    assert told == {"asset_id": beach, "message": message}


def test_a_deletion_that_had_begun_is_told(
    database: sa.Engine, shell: Shell, in_november: None
) -> None:
    operation = expanded(database, a_click("remove"), [CLIP])
    claims = claims_of(database, operation)
    (claimed,) = claims.take(1, 1_000_000)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    assert shell.out("protect", CLIP, "--until", "2026-12-31") == (
        "Protected until 2026-12-31, but a Remove had already begun to delete it, and will "
        "finish.\n"
    )


@pytest.mark.parametrize("until", ["2026-11-04", "2036-11-06", "soon", ""])
def test_a_day_that_is_none_to_come_is_refused(
    beach: str, shell: Shell, in_november: None, until: str
) -> None:
    assert shell.err("protect", beach, "--until", until) == (
        "script/operations: --until must be a day from 2026-11-05 to 2036-11-05\n"
    )


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("", "--reason must say why, in at most 300 characters"),
        ("it is locked", "the asset is not protected, or its protection has ended"),
    ],
)
def test_what_can_not_be_lifted_is_told(beach: str, shell: Shell, reason: str, told: str) -> None:
    assert shell.err("lift", beach, "--reason", reason) == f"script/operations: {told}\n"


@pytest.mark.usefixtures("database")
def test_an_asset_that_nobody_knows_is_told(shell: Shell) -> None:
    assert shell.err("lift", "beach", "--reason", "it is locked") == (
        "script/operations: asset beach: the service knows no such asset; give its id, or its "
        "address in iconik\n"
    )
