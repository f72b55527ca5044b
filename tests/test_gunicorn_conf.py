"""How Gunicorn is told to serve the plugin."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CONFIGURATION = Path(__file__).parent.parent / "gunicorn.conf.py"


@pytest.fixture
def configuration() -> dict[str, Any]:
    """What the file defines."""
    return runpy.run_path(str(CONFIGURATION))


def test_several_workers_answer_so_that_one_can_take_over(configuration: dict[str, Any]) -> None:
    assert configuration["workers"] >= 2
    assert configuration["worker_class"] == "worker.PatientWorker"


@pytest.mark.usefixtures("own_environment")
def test_a_good_environment_lets_it_start(configuration: dict[str, Any]) -> None:
    configuration["on_starting"](SimpleNamespace(cfg=SimpleNamespace(preload_app=False)))


@pytest.mark.usefixtures("own_environment")
def test_a_missing_setting_stops_the_start(
    configuration: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ICONIK_ID")
    with pytest.raises(SystemExit, match="ICONIK_ID is not set"):
        configuration["on_starting"](SimpleNamespace(cfg=SimpleNamespace(preload_app=False)))


@pytest.mark.usefixtures("own_environment")
def test_preloading_is_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(SystemExit, match="--preload"):
        configuration["on_starting"](SimpleNamespace(cfg=SimpleNamespace(preload_app=True)))


def test_a_worker_that_exits_lets_go_of_its_operations(configuration: dict[str, Any]) -> None:
    stopped = []
    executor = SimpleNamespace(stop=lambda: stopped.append(True))
    worker = SimpleNamespace(wsgi=SimpleNamespace(extensions={"executor": executor}))
    configuration["worker_exit"](None, worker)
    assert stopped == [True]


def test_a_worker_that_never_got_its_app_exits_quietly(configuration: dict[str, Any]) -> None:
    configuration["worker_exit"](None, SimpleNamespace())
