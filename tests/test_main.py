"""The entry point of Google Cloud Functions, without their framework."""

import importlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from flask import Flask, jsonify, request
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

import plugin

POSTGRESQL = "postgresql://user:password-of-the-database@db/plugin"


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is to be called after a fork; forks of this process are spared it."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: asked.update(hooks))
    return asked


@pytest.fixture
def main(hooks: dict[str, Any], own_environment: dict[str, str]) -> Iterator[ModuleType]:
    """The module, imported as the framework does."""
    yield importlib.import_module("main")
    sys.modules.pop("main", None)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the plugin be a small one."""
    app = Flask("small")

    @app.post("/add")
    def add() -> Any:
        return jsonify(read=request.get_data(as_text=True)), 201

    monkeypatch.setitem(vars(plugin), "app", app)


def posted(path: str) -> Request:
    return Request(EnvironBuilder(path, method="POST", data="all of it").get_environ())


@pytest.mark.usefixtures("small")
def test_a_request_is_answered_by_the_plugin(main: ModuleType) -> None:
    answer = main.iconik_handler(posted("/add"))
    assert (answer.status_code, json.loads(answer.get_data())) == (201, {"read": "all of it"})
    assert main.iconik_handler(posted("/")).status_code == 404


def test_a_forked_worker_builds_the_plugin_without_waiting_for_a_request(
    main: ModuleType, hooks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = threading.Event()

    def start() -> Flask:
        built.set()
        return Flask("small")

    monkeypatch.setattr(plugin, "start", start)
    hooks["after_in_child"]()
    assert built.wait(10)
    # Once in a process, whoever asks.
    assert main.iconik_handler(posted("/add")).status_code == 404
    vars(plugin).pop("app", None)


def test_what_can_never_work_ends_the_process(
    main: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Flask:
        raise SystemExit(plugin.DO_NOT_RESTART)

    def end(status: int) -> None:
        raise InterruptedError(f"ended with {status}")

    monkeypatch.setattr(plugin, "start", refuse)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(InterruptedError, match="ended with 3"):
        main.iconik_handler(posted("/add"))


def test_a_missing_setting_stops_the_import_with_one_line(
    main: ModuleType, environment: dict[str, str]
) -> None:
    del environment["ICONIK_ID"]
    with pytest.raises(SystemExit, match=r"^b2-iconik-plugin: ICONIK_ID is not set: "):
        main.check(environment)


def test_on_google_s_machines_it_needs_postgresql(
    main: ModuleType, environment: dict[str, str]
) -> None:
    environment["K_SERVICE"] = "b2-iconik-plugin"
    with pytest.raises(SystemExit, match=r"^b2-iconik-plugin: DATABASE_URL must be a postgresql"):
        main.check(environment)
    main.check({**environment, "DATABASE_URL": POSTGRESQL})


def test_anywhere_else_it_does_not(main: ModuleType, environment: dict[str, str]) -> None:
    main.check(environment)
