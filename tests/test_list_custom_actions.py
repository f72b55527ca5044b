"""The script that lists the custom actions, as a person runs it."""

import json
import re
from pathlib import Path

import pytest
from responses import RequestsMock

import list_custom_actions
from list_custom_actions import main
from tests.fake_iconik import API, B2_STORAGE, LL_STORAGE, FakeActions

ENDPOINT = "https://plugin.test"
URL = f"{ENDPOINT}/add?b2_storage_id={B2_STORAGE}&ll_storage_id={LL_STORAGE}"
OPTIONS = ["--endpoint", ENDPOINT]
SCRIPT = Path(list_custom_actions.__file__)
FAILING = {"title": "Add to LucidLink", "status": "FAILING", "last_error": "401: wrong\n\x1b[31m"}

pytestmark = pytest.mark.usefixtures("own_environment")


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the table, without its headings."""
    return capsys.readouterr().out.split("\n\n")[1].splitlines()[1:]


def test_all_of_the_service_are_shown_with_how_the_last_click_went(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(url=f"{URL}&formats=B,A&path=projects", **FAILING)
    actions.add(url=URL.replace("/add", "/remove"), context="SAVED_SEARCH", disabled=True)
    actions.add(url="https://other.test/add")
    assert main(OPTIONS) == 0
    assert [" ".join(line.split()) for line in shown(capsys)] == [
        "Add to LucidLink ASSET FAILING A,B projects - Masters Filespace",
        r"401: wrong\n\x1b[31m",
        "? SAVED_SEARCH disabled FORMAT_NAMES - - Masters Filespace",
    ]
    assert actions.changes == []


@pytest.mark.parametrize(
    ("more", "kept_for"),
    [("&keep=2w", "14 days"), ("&keep_field=Days%20kept", "field 'Days kept'")],
)
def test_how_long_an_add_keeps_its_assets_is_shown(
    actions: FakeActions, capsys: pytest.CaptureFixture[str], more: str, kept_for: str
) -> None:
    actions.add(url=f"{URL}{more}")
    assert main(OPTIONS) == 0
    assert re.split(r"\s{2,}", shown(capsys)[0])[-3:] == [kept_for, "Masters", "Filespace"]


def test_that_there_is_none_is_told(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(url="https://other.test/add")
    assert main(OPTIONS) == 0
    assert capsys.readouterr().out == f"No custom action points to {ENDPOINT}.\n"


def test_they_are_told_as_json_without_the_secret(
    actions: FakeActions, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    secret = environment["BZ_SHARED_SECRET"]
    held = actions.add(
        url=f"{URL}&formats=B,A&path=projects&keep=14d",
        headers={"x-bz-secret": secret},
        title="Add to LucidLink",
        status="FAILING",
        last_error=f"500: you sent {secret}",
    )
    assert main([*OPTIONS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "id": held["id"],
            "context": "ASSET",
            "title": "Add to LucidLink",
            "url": held["url"],
            "action": "add",
            "b2_storage_id": B2_STORAGE,
            "ll_storage_id": LL_STORAGE,
            "formats": ["A", "B"],
            "path": "projects",
            "keep": "14d",
            "keep_field": "",
            "status": "FAILING",
            "last_error": "500: you sent ***",
            "disabled": False,
        }
    ]


def test_none_are_an_empty_list_of_json(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*OPTIONS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_an_error_without_end_is_cut_off(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(url=URL, last_error="<html>" * 10_000)
    main(OPTIONS)
    assert len(shown(capsys)[1].strip()) == 500


def test_without_the_role_for_storages_their_ids_are_shown(
    actions: FakeActions, http: RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(url=URL)
    http.get(f"{API}files/v1/storages/", status=403, json={"errors": ["No"]})
    http.remove("GET", actions.everything)
    http.add_callback("GET", f"{API}assets/v1/custom_actions/", actions.answer)
    assert main(OPTIONS) == 0
    assert shown(capsys)[0].split()[-2:] == [B2_STORAGE, LL_STORAGE]


def test_what_iconik_does_not_do_is_told_in_one_line(
    http: RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    http.get(f"{API}assets/v1/custom_actions/", status=403, json={"errors": ["No"]})
    assert main(OPTIONS) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("list_custom_actions.py: could not list the custom actions: ")
    assert "can_read_custom_actions" in told.err
