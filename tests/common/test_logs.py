"""Log lines: one an event, with the operation's id."""

import json
import logging
import re
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from b2_iconik.common import logs
from b2_iconik.domain.custody import Safe
from b2_iconik.domain.operation import Origin
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset, Deletion
from b2_iconik.operation import audit
from iconik_http.tokens import Tokens

pytestmark = pytest.mark.usefixtures("own_loggers")

OURS = Path(__file__).resolve().parents[2]
MODULES = ("plugin.py", "gunicorn.conf.py", "iconik_http/transport.py", "b2_iconik/web/pages.py")

PROOF = Safe("set-1", "set-2", by_checksum=True, size=18_000)
DELETION = Deletion("ORIGINAL", PROOF, "key")


def said_by(path: Path, level: int, message: str) -> None:
    """Log a line as code in a file would."""
    record = logging.LogRecord("any", level, str(path), 1, message, (), None)
    if logging.getLogger("any").isEnabledFor(level):
        logging.getLogger("any").handle(record)


def test_a_line_has_time_level_operation_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logs.operation_id.set("1b9d")
    said_by(OURS / "plugin.py", logging.INFO, "accepted a click")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO \[1b9d\] accepted a click\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_line_has_a_link_that_opens_a_page(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    logs.configure("INFO", log_format)
    request = "GET /operations/1b9d?show=kept&link=1700000000.s-i_g&after=x HTTP/1.1"
    said_by(OURS / "plugin.py", logging.INFO, request)
    said = capsys.readouterr().err
    assert "GET /operations/1b9d?show=kept&link=***&after=x HTTP/1.1" in said
    assert "s-i_g" not in said


def test_a_line_outside_of_operations_has_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    said_by(OURS / "plugin.py", logging.INFO, "ready")
    assert "[-] ready" in capsys.readouterr().err


def test_line_breaks_in_a_message_begin_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    forged = "bad: one\r\n2099-01-01 INFO [-] forged"
    said_by(OURS / "plugin.py", logging.INFO, forged)
    assert (
        capsys.readouterr().err.splitlines()[0].endswith("bad: one\\r\\n2099-01-01 INFO [-] forged")
    )


def test_what_a_terminal_would_obey_is_shown_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    said_by(OURS / "plugin.py", logging.INFO, "clip\x1b[2J\x85\u2028\u202e\ud800.mov")
    assert capsys.readouterr().err.endswith(r"clip\x1b[2J\x85\u2028\u202e\ud800.mov" + "\n")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_line_of_a_trace_passes_for_one_of_the_log(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO", log_format)
    try:
        raise ValueError("inside\x1b[2J\n2099-01-01 INFO [-] forged\u2028")
    except ValueError:
        logging.getLogger("plugin").exception("it failed")
    told = capsys.readouterr().err
    trace = json.loads(told)["trace"] if log_format == "json" else told
    assert trace.rstrip().endswith("\\x1b[2J\n  2099-01-01 INFO [-] forged\\u2028")


def test_a_trace_follows_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("plugin").exception("it failed")
    assert "ValueError: inside" in capsys.readouterr().err


@pytest.mark.parametrize("module", MODULES)
def test_each_of_our_modules_is_heard_from_the_level_on(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO")
    said_by(OURS / module, logging.DEBUG, "a detail")
    said_by(OURS / module, logging.INFO, "an event")
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["an event"]


def test_libraries_are_heard_only_when_they_warn(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG")
    library = OURS / ".venv" / "lib" / "urllib3" / "util.py"
    said_by(library, logging.INFO, "chatter")
    said_by(library, logging.WARNING, "trouble")
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["trouble"]


def test_configuring_twice_doubles_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logs.configure("INFO")
    said_by(OURS / "plugin.py", logging.INFO, "once")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_thread_names_an_operation_only_as_long_as_it_works_on_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO")
    library = OURS / ".venv" / "lib" / "urllib3" / "util.py"
    with suppress(ZeroDivisionError), logs.about("1b9d"):
        said_by(library, logging.WARNING, "of a library")
        raise ZeroDivisionError
    said_by(library, logging.WARNING, "after it")
    first, second = capsys.readouterr().err.splitlines()
    assert "[1b9d] of a library" in first
    assert "[-] after it" in second


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR"])
def test_deletions_are_heard_at_any_level(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(level)
    audit.deleted(ClaimedAsset("asset-1", (), AssetProgress(), "ada"), "set-1", DELETION)
    assert "INFO [-] audit: deleted ORIGINAL of asset asset-1" in capsys.readouterr().err


# As JSON


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines, each of which is a JSON object."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_of_json_has_time_level_logger_operation_and_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO", "json")
    said_by(OURS / "plugin.py", logging.INFO, "ready")
    with logs.about("1b9d"):
        said_by(OURS / "plugin.py", logging.INFO, "one\r\ntwo \u2028 \ud800")
    first, second = said(capsys)
    assert datetime.fromisoformat(first.pop("time")).tzinfo
    assert first == {"level": "INFO", "logger": "any", "operation_id": None, "message": "ready"}
    assert second["operation_id"] == "1b9d"
    assert second["message"] == r"one\r\ntwo \u2028 \ud800"


def test_a_line_of_json_has_the_trace_of_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("plugin").exception("it failed")
    (line,) = said(capsys)
    assert line["message"] == "it failed"
    assert "ValueError: inside" in line["trace"]


def test_of_a_deletion_json_says_odd_names_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    audit.deleted(
        ClaimedAsset("asset-1", (), AssetProgress(), "ada"),
        "set-1",
        replace(DELETION, name="A\x1b[2J"),
    )
    (line,) = said(capsys)
    assert (line["format"], line["bytes"]) == (r"A\x1b[2J", 18_000)


def test_a_line_of_json_shows_nothing_that_a_library_hangs_on_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO", "json")
    logging.getLogger("plugin").warning("odd", extra={"headers": {"Auth-Token": "secret"}})
    assert "secret" not in capsys.readouterr().err


def test_of_a_deletion_json_says_who_what_and_by_which_proof(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO", "json")
    Tokens("token", "").current("delete it")
    with logs.about("1b9d"):
        audit.deleted(ClaimedAsset("asset-1", (), AssetProgress(), "ada"), "set-1", DELETION)
    (line,) = said(capsys)
    del line["time"]
    assert line == {
        "level": "INFO",
        "logger": "audit",
        "operation_id": "1b9d",
        "message": "audit: deleted ORIGINAL of asset asset-1: file set set-1, 18,000 bytes, "
        "clicked by user ada, with the click's token, proven by size and checksum of file set "
        "set-2 on B2 (B2 asked by key)",
        "event": "deleted",
        "user_id": "ada",
        "user": None,
        "token": "the click's token",
        "origin": None,
        "due": None,
        "retry_of": None,
        "retried_by": None,
        "asset_id": "asset-1",
        "asset": None,
        "format": "ORIGINAL",
        "file_set_id": "set-1",
        "bytes": 18_000,
        "twin_file_set_id": "set-2",
        "proven_by": "size and checksum",
        "confirmed_by": "key",
    }


def test_of_a_deletion_it_is_said_by_name_who_clicked(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    asset = ClaimedAsset("asset-1", (), AssetProgress(), "ada", user_name="Ada Editor")
    audit.deleted(asset, "set-1", DELETION)
    (line,) = said(capsys)
    assert "clicked by Ada Editor, with" in line["message"]
    assert (line["user_id"], line["user"]) == ("ada", "Ada Editor")


def test_of_a_deletion_it_is_said_why_it_was_due(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", "json")
    why = "kept for 10 days after 2026-11-28 12:00 UTC by Ann Baker"
    origin = Origin(None, "the service", "due")
    due = {"ORIGINAL": why, "PROXY": "another reason"}
    asset = ClaimedAsset("asset-1", (), AssetProgress(), origin=origin, due=due)
    audit.deleted(asset, "set-1", DELETION)
    (line,) = said(capsys)
    assert f"18,000 bytes, {why}, with" in line["message"]
    assert (line["origin"], line["due"]) == ("due", why)


def test_of_a_deletion_that_was_proven_before_an_interruption_that_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO", "json")
    Tokens("", "token").current("delete it")
    audit.deleted(ClaimedAsset("asset-1", (), AssetProgress()), "set-1", Deletion("ORIGINAL"))
    (line,) = said(capsys)
    assert line["message"].endswith(
        "file set set-1, of unknown size, clicked by user unknown, with ICONIK_TOKEN, proven "
        "before an interruption"
    )
    assert (line["bytes"], line["twin_file_set_id"], line["proven_by"]) == (None, None, None)


def test_of_a_deletion_that_was_tried_again_it_is_said_who_did_that(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("INFO", "json")
    origin = Origin("1b9d", "ben on the operations page")
    audit.deleted(ClaimedAsset("asset-1", (), AssetProgress(), "ada", origin), "set-1", DELETION)
    (line,) = said(capsys)
    assert (
        "clicked by user ada, retried by ben on the operations page (retry of 1b9d), "
        in (line["message"])
    )
    assert (line["user_id"], line["retry_of"], line["retried_by"]) == ("ada", origin.of, origin.by)


def test_what_a_server_says_goes_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    server = logging.getLogger("gunicorn.error")
    server.addHandler(logging.StreamHandler())
    logs.configure("INFO", "json")
    logs.take_over(server)
    server.info("Listening at: http://127.0.0.1:8000")
    assert [line["message"] for line in said(capsys)] == ["Listening at: http://127.0.0.1:8000"]


def test_the_development_server_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logging.getLogger("werkzeug").info("Running on http://127.0.0.1:5000")
    assert "Running on" in capsys.readouterr().err
