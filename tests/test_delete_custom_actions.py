"""The script that deletes the custom actions, as a person runs it."""

from pathlib import Path
from typing import Any

import pytest
from responses import RequestsMock

import create_custom_actions
import delete_custom_actions
from delete_custom_actions import main
from tests.fake_iconik import API, B2_STORAGE, LL_STORAGE, FakeActions

ENDPOINT = "http://plugin.test/a"
SCRIPT = Path(delete_custom_actions.__file__)

pytestmark = pytest.mark.usefixtures("own_environment")


def options(*more: str, endpoint: str = ENDPOINT) -> list[str]:
    """The options of a run."""
    return ["--endpoint", endpoint, *more]


def url(path: str = "/a/add", more: str = "", origin: str = "http://plugin.test") -> str:
    """The URL of an action."""
    query = f"b2_storage_id={B2_STORAGE}&ll_storage_id={LL_STORAGE}{more}"
    return f"{origin}{path}?{query}"


def test_all_of_the_service_are_deleted_and_told(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(title="Add to LucidLink", context="ASSET", url=url("/a/add"))
    # It is written otherwise.
    elsewhere = url("/a/remove", origin="HTTP://pLUGIN.test:80")
    actions.add(title="Remove from LucidLink", context="BULK", url=elsewhere)
    actions.add(
        title="Renamed\nby \x1b[31mhand", context="SAVED_SEARCH", url=url(more="&formats=A")
    )
    assert main(options()) == 0
    assert actions.held == {}
    assert capsys.readouterr().out.splitlines() == [
        "deleted  Add to LucidLink  ASSET",
        "deleted  Remove from LucidLink  BULK",
        r"deleted  Renamed\nby \x1b[31mhand  SAVED_SEARCH",
        "",
        f"No custom action points to {ENDPOINT}.",
    ]


def test_a_dry_run_tells_what_would_be_deleted_and_deletes_nothing(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(title="Add to LucidLink", url=url("/a/add"))
    assert main(options("--dry-run")) == 0
    assert actions.changes == []
    assert capsys.readouterr().out.startswith(
        "would delete  Add to LucidLink  ASSET\nnothing was changed\n\nCustom actions that point to"
    )


@pytest.mark.parametrize(
    "record", [{"url": url(origin="http://other.test")}, {"url": url("/a/b/add")}, {"type": "OPEN"}]
)
def test_an_action_of_anybody_else_is_not_touched(
    actions: FakeActions, capsys: pytest.CaptureFixture[str], record: dict[str, Any]
) -> None:
    actions.add(**{"url": url(), **record})
    assert main(options()) == 0
    assert actions.changes == []
    assert capsys.readouterr().out.startswith(f"nothing to delete under {ENDPOINT}\n")


def test_with_formats_only_actions_of_just_these_are_deleted(actions: FakeActions) -> None:
    for more in ("", "&formats=A", "&formats=A,B,C", "&formats=B,A", "&formats=A&formats=B"):
        actions.add(url=url(more=more))
    assert main(options("--formats", "A,B")) == 0
    assert [each["url"] for each in actions.held.values()] == [
        url(),
        url(more="&formats=A"),
        url(more="&formats=A,B,C"),
    ]


def test_nothing_to_delete_is_told_with_the_formats(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options("--formats", "A,B")) == 0
    assert capsys.readouterr().out.startswith(f"nothing to delete under {ENDPOINT} for A and B\n")


def test_one_that_is_gone_meanwhile_is_deleted(
    actions: FakeActions, http: RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(title="Add to LucidLink", url=url())
    http.remove("DELETE", actions.everything)
    http.delete(actions.everything, status=404, json={"errors": ["No"]})
    assert main(options()) == 0
    assert capsys.readouterr().out.startswith("deleted  Add to LucidLink  ASSET\n")


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([], "--endpoint"),
        (options(endpoint="https://user:hunter2@plugin.test"), "--endpoint"),
        (options("--formats", ","), "--formats"),
        (options("--b2_storage_id", B2_STORAGE), "--b2_storage_id"),
    ],
    ids=repr,
)
def test_a_wrong_option_is_named_in_one_line(
    argv: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    told = capsys.readouterr().err
    assert caught.value.code == 2
    assert len(told.splitlines()) == 1
    assert named in told
    assert "hunter2" not in told


def test_what_iconik_does_not_do_is_told_in_one_line(
    http: RequestsMock, capsys: pytest.CaptureFixture[str]
) -> None:
    http.get(f"{API}assets/v1/custom_actions/", status=403, json={"errors": []})
    assert main(options()) == 1
    said = capsys.readouterr().err
    assert said.startswith("delete_custom_actions.py: could not list the custom actions: ")
    assert "can_read_custom_actions" in said
    assert len(said.splitlines()) == 1


def test_what_was_created_is_deleted(actions: FakeActions) -> None:
    storages = ["--b2_storage_id", B2_STORAGE, "--ll_storage_id", LL_STORAGE]
    create_custom_actions.main(options(*storages, "--formats", "A b,é", "--insecure"))
    assert len(actions.held) == 6
    main(options("--formats", "é,A b"))
    assert actions.held == {}


def test_optional_actions_are_deleted_too(actions: FakeActions) -> None:
    storages = ["--b2_storage_id", B2_STORAGE, "--ll_storage_id", LL_STORAGE]
    optional = ["--preview", "--keep", "14d", "--keep-field", "Days"]
    create_custom_actions.main(options(*storages, *optional, "--insecure"))
    assert len(actions.held) == 15
    main(options())
    assert actions.held == {}
