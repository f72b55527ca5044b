"""How Gunicorn is told to serve the plugin."""

import json
import logging
import os
import re
import runpy
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader, InvalidRequestLine, UnsupportedTransferCoding

from b2_iconik.common import metric_files

pytestmark = pytest.mark.usefixtures("own_environment")
CONFIGURATION = Path(__file__).parent.parent / "gunicorn.conf.py"


@pytest.fixture
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the file defines."""
    # So that what it sets is taken back.
    monkeypatch.setenv(metric_files.VARIABLE, "of somebody else")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return runpy.run_path(str(CONFIGURATION))


def begin(configuration: dict[str, Any], *, preload_app: bool = False) -> None:
    """Have Gunicorn begin to start."""
    configuration["on_starting"](SimpleNamespace(cfg=SimpleNamespace(preload_app=preload_app)))


def test_several_workers_answer_so_that_one_can_take_over(configuration: dict[str, Any]) -> None:
    assert configuration["workers"] >= 2
    assert configuration["worker_class"] == "gthread"


def test_an_access_log_has_neither_the_query_nor_the_referrer_of_a_request(
    configuration: dict[str, Any],
) -> None:
    atoms = set(re.findall(r"%\(([^)]+)\)s", configuration["access_log_format"]))
    assert atoms == {"h", "l", "u", "t", "m", "U", "H", "s", "b", "a"}


def test_a_missing_setting_stops_the_start(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ICONIK_ID")
    with pytest.raises(SystemExit, match="ICONIK_ID is not set"):
        begin(configuration)


def test_a_database_of_a_newer_version_stops_the_start(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'newer.sqlite'}")
    begin(configuration)
    with closing(sqlite3.connect(tmp_path / "newer.sqlite")) as connection, connection:
        connection.execute("UPDATE plugin_schema SET version = 1000")
    with pytest.raises(SystemExit, match="a database of a newer version of this service"):
        begin(configuration)


@pytest.mark.parametrize("path", ["any.sqlite", "nowhere/any.sqlite"])
def test_a_database_that_is_not_there_yet_lets_it_start(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / path}")
    begin(configuration)


def test_preloading_is_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match="--preload"):
        begin(configuration, preload_app=True)


def test_the_workers_count_in_a_directory_that_is_there_as_long_as_the_server(
    configuration: dict[str, Any], tmp_path: Path
) -> None:
    begin(configuration)
    directory = Path(os.environ[metric_files.VARIABLE])
    assert directory.is_dir()
    assert directory.parent == tmp_path
    configuration["on_exit"](None)
    assert not directory.exists()
    configuration["on_exit"](None)


def test_without_a_place_for_metrics_it_starts_all_the_same(
    configuration: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "missing"))
    begin(configuration)
    assert metric_files.VARIABLE not in os.environ
    assert "no directory for metrics: No such file or directory" in caplog.text


@pytest.fixture
def gunicorn_log() -> Iterator[logging.Logger]:
    """Gunicorn's logger; what a test makes of all loggers is taken back."""
    root, server = logging.getLogger(), logging.getLogger("gunicorn.error")
    before = root.handlers[:], root.level, server.handlers[:], server.propagate
    # Closed otherwise, and they are pytest's.
    root.handlers = []
    yield server
    root.handlers, level, server.handlers, server.propagate = before
    root.setLevel(level)


def test_gunicorn_s_own_lines_look_like_the_plugin_s(
    configuration: dict[str, Any],
    gunicorn_log: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    configuration["logger_class"](Config())
    gunicorn_log.info("Starting gunicorn")
    assert json.loads(capsys.readouterr().err)["message"] == "Starting gunicorn"


@pytest.mark.parametrize(
    "told", [{"errorlog": "/dev/null"}, {"logconfig_dict": {"version": 1}}, {}], ids=str
)
def test_gunicorn_s_lines_go_where_it_was_told_and_stay_while_the_settings_are_wrong(
    configuration: dict[str, Any],
    gunicorn_log: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    told: dict[str, Any],
) -> None:
    if not told:
        monkeypatch.delenv("ICONIK_ID")
    cfg = Config()
    for name, value in told.items():
        cfg.set(name, value)
    configuration["logger_class"](cfg)
    ways = [type(each.formatter).__module__ for each in logging.getLogger().handlers]
    assert "logs" not in ways
    for handler in gunicorn_log.handlers:
        handler.close()


@pytest.mark.usefixtures("configuration")
@pytest.mark.parametrize("kind", [InvalidRequestLine, InvalidHeader, UnsupportedTransferCoding])
def test_what_gunicorn_can_not_parse_is_not_in_its_error(kind: type[Exception]) -> None:
    assert str(kind("a secret")) == kind.__name__


def test_a_worker_that_exits_lets_go_of_its_operations(configuration: dict[str, Any]) -> None:
    stopped = []
    leader = SimpleNamespace(stop=lambda: stopped.append(True))
    worker = SimpleNamespace(wsgi=SimpleNamespace(extensions={"leader": leader}))
    configuration["worker_exit"](None, worker)
    assert stopped == [True]


def test_a_worker_that_never_got_its_app_exits_quietly(configuration: dict[str, Any]) -> None:
    configuration["worker_exit"](None, SimpleNamespace())


def test_systemd_is_not_told_by_who_only_listens(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    begin(configuration)
    assert "NOTIFY_SOCKET" not in os.environ


def test_without_systemd_nobody_is_told(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    configuration["post_worker_init"](SimpleNamespace(log=None))
