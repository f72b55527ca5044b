"""The script that creates the custom actions, as a person runs it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from responses import RequestsMock

import create_custom_actions
from b2_iconik.setup.command_line import in_words
from create_custom_actions import main
from iconik import Iconik
from tests.fake_iconik import API, B2_STORAGE, LL_STORAGE, FakeActions

ENDPOINT = "https://plugin.test/b2"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
CONTEXTS = ["ASSET", "COLLECTION", "BULK"]
THROUGH_S3: dict[str, Any] = {
    "method": "S3",
    "settings": {"endpoint": "s3.us-west-004.backblazeb2.com"},
}
SCRIPT = Path(create_custom_actions.__file__)

pytestmark = pytest.mark.usefixtures("own_environment")


def options(
    *more: str, endpoint: str = ENDPOINT, b2: str = B2_STORAGE, ll: str = LL_STORAGE
) -> list[str]:
    """The options of a run."""
    return ["--endpoint", endpoint, "--b2_storage_id", b2, "--ll_storage_id", ll, *more]


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was said of custom actions."""
    out = capsys.readouterr().out.split("\n\n")[0].splitlines()
    return [line for line in out if not line.startswith(("B2 storage: ", "LucidLink storage: "))]


def shown(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """The table at the end, as cells."""
    table = capsys.readouterr().out.split("\n\n")[-1]
    return [re.split(r"\s{2,}", line) for line in table.splitlines()]


def url(action: str, more: str = "", endpoint: str = ENDPOINT) -> str:
    """The URL of an action."""
    query = f"b2_storage_id={B2_STORAGE}&ll_storage_id={LL_STORAGE}{more}"
    return f"{endpoint}/{action}?{query}"


# Creating


def test_six_actions_are_created(
    actions: FakeActions, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options()) == 0
    made = [{name: each[name] for name in each if name != "id"} for each in actions.held.values()]
    assert made == [
        {
            "context": context,
            "title": title,
            "type": "POST",
            "url": url(action),
            "headers": {"x-bz-secret": environment["BZ_SHARED_SECRET"]},
            "app_id": environment["ICONIK_ID"],
        }
        for action, title in (("add", "Add to LucidLink"), ("remove", "Remove from LucidLink"))
        for context in CONTEXTS
    ]
    assert lines(capsys) == [
        "created  Add to LucidLink  ASSET",
        "created  Add to LucidLink  COLLECTION",
        "created  Add to LucidLink  BULK",
        "created  Remove from LucidLink  ASSET",
        "created  Remove from LucidLink  COLLECTION",
        "created  Remove from LucidLink  BULK",
    ]


@pytest.mark.parametrize(
    ("more", "number", "title", "made"),
    [
        (("--preview", "--path", "a"), 9, "Preview removal from LucidLink", url("preview")),
        (
            ("--keep", "14d", "--path", "projects"),
            9,
            "Add to LucidLink for 14 days",
            url("add", "&path=projects&keep=14d"),
        ),
        (
            ("--keep", "14d", "--keep", "12h"),
            12,
            "Add to LucidLink for 12 hours",
            url("add", "&keep=12h"),
        ),
        (
            ("--keep-field", "Days kept"),
            9,
            "Add to LucidLink for a while",
            url("add", "&keep_field=Days%20kept"),
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_optional_actions_are_created_on_request(
    actions: FakeActions,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    number: int,
    title: str,
    made: str,
) -> None:
    assert main(options(*more)) == 0
    assert len(actions.held) == number
    assert lines(capsys)[-3:] == [f"created  {title}  {context}" for context in CONTEXTS]
    assert [each["url"] for each in actions.held.values()][-3:] == [made] * 3


def test_a_metadata_view_that_was_chosen_in_iconik_stays(actions: FakeActions) -> None:
    main(options("--keep-field", "Days"))
    held = list(actions.held.values())[-1]
    held["metadata_view"] = UNKNOWN
    main(options())
    assert actions.held[held["id"]]["metadata_view"] == UNKNOWN


def test_an_add_with_a_time_that_is_none_never_becomes_one_without_limit(
    actions: FakeActions,
) -> None:
    held = actions.add(title="Add to LucidLink", url=url("add", "&keep=soon"))
    main(options())
    assert actions.held[held["id"]]["url"] == url("add", "&keep=soon")
    assert len(actions.held) == 7


def test_the_storages_are_named(actions: FakeActions, capsys: pytest.CaptureFixture[str]) -> None:
    main(options())
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["B2 storage: Masters", "LucidLink storage: Filespace"]


def test_formats_are_in_url_and_title(actions: FakeActions) -> None:
    main(options("--formats", "ORIGINAL, PPRO_PROXY,ORIGINAL"))
    assert {(each["title"], each["url"]) for each in actions.held.values()} == {
        ("Add to LucidLink (ORIGINAL and PPRO_PROXY)", url("add", "&formats=ORIGINAL,PPRO_PROXY")),
        (
            "Remove from LucidLink (ORIGINAL and PPRO_PROXY)",
            url("remove", "&formats=ORIGINAL,PPRO_PROXY"),
        ),
    }


@pytest.mark.parametrize(
    ("names", "words"),
    [(["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C", "D"], "A, B, C and D")],
)
def test_formats_are_told_in_words(names: Sequence[str], words: str) -> None:
    assert in_words(names) == words


# Again


@pytest.mark.parametrize(
    ("more", "number"),
    [
        ((), 6),
        (("--context", "SAVED_SEARCH", "--context", "BULK"), 8),
        (("--preview", "--context", "PLAYLIST"), 12),
        (("--keep", "14d", "--context", "PLAYLIST"), 12),
        (("--keep-field", "Days", "--context", "PLAYLIST"), 12),
    ],
)
def test_another_run_updates_all_there_are_wherever_they_are(
    actions: FakeActions,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: tuple[str, ...],
    number: int,
) -> None:
    main(options(*more))
    before = {action_id: each["url"] for action_id, each in actions.held.items()}
    lines(capsys)
    monkeypatch.setenv("BZ_SHARED_SECRET", "a-new-secret-0123456789")
    assert main(options()) == 0
    assert {action_id: each["url"] for action_id, each in actions.held.items()} == before
    assert {each["headers"]["x-bz-secret"] for each in actions.held.values()} == {
        "a-new-secret-0123456789"
    }
    assert [line.split("  ")[0] for line in lines(capsys)] == ["updated"] * number


@pytest.mark.parametrize(
    ("first", "second", "number"),
    [
        (options(), options(endpoint=ENDPOINT.replace("plugin.test", "PLUGIN.test:443")), 6),
        (options(), options(b2=B2_STORAGE.upper(), ll=LL_STORAGE.upper()), 6),
        (options("--formats", "A,B"), options("--formats", "B,A"), 6),
        (options("--keep", "14d", "--keep", "2w"), options("--keep", "336h"), 9),
    ],
    ids=["endpoint", "capitals", "order", "time"],
)
def test_the_same_in_other_words_are_the_same_actions(
    actions: FakeActions, first: list[str], second: list[str], number: int
) -> None:
    main(first)
    main(second)
    assert len(actions.held) == number


def test_a_renamed_action_is_found_and_named_again(actions: FakeActions) -> None:
    held = actions.add(title="Renamed", url=url("add"))
    main(options())
    assert actions.held[held["id"]]["title"] == "Add to LucidLink"
    assert len(actions.held) == 6


@pytest.mark.parametrize(
    "other",
    [
        options("--formats", "ORIGINAL"),
        options("--formats", "ORIGINAL,EDIT_PROXY"),
        options(endpoint=f"{ENDPOINT}/other"),
        options(ll=UNKNOWN),
    ],
    ids=["a format", "formats", "endpoint", "storage"],
)
def test_actions_that_ask_for_something_else_are_others(
    actions: FakeActions, other: list[str]
) -> None:
    actions.storages[UNKNOWN] = {"id": UNKNOWN, "name": "Third", "method": "FILE"}
    main(options())
    main(other)
    assert len(actions.held) == 12


@pytest.mark.parametrize(
    "record",
    [
        {"context": "SHARED_ASSET"},
        {"title": "Add to LucidLink", "url": "https://elsewhere.test/add"},
    ],
)
def test_an_action_of_anybody_else_is_not_touched(
    actions: FakeActions, record: dict[str, Any]
) -> None:
    held = dict(actions.add(**{"url": url("add"), **record}))
    main(options())
    assert actions.held[held["id"]] == held
    assert len(actions.held) == 7


@pytest.mark.parametrize("context", ["SAVED_SEARCH", "PLAYLIST"])
def test_they_are_created_in_one_more_context(actions: FakeActions, context: str) -> None:
    assert main(options("--context", context)) == 0
    assert {each["context"] for each in actions.held.values()} == {*CONTEXTS, context}


def test_another_directory_changes_the_actions_in_place(actions: FakeActions) -> None:
    main(options("--path", "projects/a b"))
    assert {each["url"] for each in actions.held.values()} == {
        url("add", "&path=projects/a%20b"),
        url("remove"),
    }
    main(options("--path", "ü/"))
    assert {each["url"] for each in actions.held.values()} == {
        url("add", "&path=%C3%BC"),
        url("remove"),
    }
    main(options())
    assert {each["url"] for each in actions.held.values()} == {url("add"), url("remove")}
    assert len(actions.held) == 6


# What is told at the end


def test_a_table_tells_what_there_is(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    main(options("--path", "projects/2026", "--formats", "B,A"))
    heading, *rows = shown(capsys)
    assert heading == [
        "title", "context", "status", "formats", "directory", "kept for", "B2 storage",
        "LucidLink storage",
    ]  # fmt: skip
    suffix = " (B and A)"
    assert rows == [
        [title + suffix, context, "-", "A,B", path, "-", "Masters", "Filespace"]
        for title, path in (("Add to LucidLink", "projects/2026"), ("Remove from LucidLink", "-"))
        for context in CONTEXTS
    ]


def test_the_table_tells_of_actions_for_other_storages_by_their_ids(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(title="Older", url=url("add").replace(LL_STORAGE, UNKNOWN), status="HEALTHY")
    main(options())
    row = ["Older", "ASSET", "HEALTHY", "FORMAT_NAMES", "-", "-", "Masters", UNKNOWN]
    assert row in shown(capsys)


# Without doing it


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.add(url=url("add"))
    actions.add(url=url("add"))
    assert main(options("--dry-run", "--context", "SAVED_SEARCH")) == 0
    assert actions.changes == []
    assert lines(capsys) == [
        "would update  Add to LucidLink  ASSET",
        "would create  Add to LucidLink  COLLECTION",
        "would create  Add to LucidLink  BULK",
        "would create  Add to LucidLink  SAVED_SEARCH",
        "would create  Remove from LucidLink  ASSET",
        "would create  Remove from LucidLink  COLLECTION",
        "would create  Remove from LucidLink  BULK",
        "would create  Remove from LucidLink  SAVED_SEARCH",
        "would delete a duplicate of  Add to LucidLink  ASSET",
        "nothing was changed",
    ]


def test_a_dry_run_where_nothing_is_says_so(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    main(options("--dry-run"))
    assert capsys.readouterr().out.endswith(f"\n\nNo custom action points to {ENDPOINT}.\n")


# Storages


def test_storages_are_found_by_name(actions: FakeActions) -> None:
    assert main(options(b2="Masters", ll="fileSPACE")) == 0
    assert {each["url"] for each in actions.held.values()} == {url("add"), url("remove")}


def test_a_name_in_the_same_capitals_is_preferred(actions: FakeActions) -> None:
    actions.storages[UNKNOWN] = {"id": UNKNOWN, "name": "FILESPACE", "method": "FILE"}
    assert main(options(ll="Filespace")) == 0
    assert {each["url"] for each in actions.held.values()} == {url("add"), url("remove")}


@pytest.mark.parametrize("name", ["Filespace", "filespace"])
def test_a_name_that_two_storages_have_is_no_choice(
    actions: FakeActions, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    actions.storages[UNKNOWN] = {**actions.storages[LL_STORAGE], "id": UNKNOWN}
    line = failed(capsys, options(ll=name))
    assert f"--ll_storage_id: 2 storages are named '{name}', so give the id of one: " in line
    assert UNKNOWN in line
    assert LL_STORAGE in line
    assert "Masters" not in line
    assert actions.changes == []


@pytest.mark.parametrize(
    ("changed", "option", "named"),
    [
        ({"b2": "Mastres"}, "--b2_storage_id", "'Mastres'"),
        ({"b2": UNKNOWN}, "--b2_storage_id", UNKNOWN),
        ({"ll": UNKNOWN}, "--ll_storage_id", UNKNOWN),
    ],
)
def test_an_unknown_storage_is_told_with_what_there_is(
    actions: FakeActions,
    capsys: pytest.CaptureFixture[str],
    changed: Any,
    option: str,
    named: str,
) -> None:
    line = failed(capsys, options(**changed))
    assert (
        f"{option}: iconik has no storage {named}; available: 'Filespace' (FILE , "
        f"{LL_STORAGE}); 'Masters' (B2 , {B2_STORAGE})" in line
    )
    assert actions.changes == []


def test_that_no_storage_can_be_seen_is_told(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    actions.storages.clear()
    assert "available: none that the token may see" in failed(capsys, options(b2="Masters"))


@pytest.mark.parametrize(
    ("storage", "change", "told"),
    [
        (
            B2_STORAGE,
            {"purpose": "PROXIES"},
            "the purpose of 'Masters' is PROXIES: choose one for FILES",
        ),
        (
            LL_STORAGE,
            {"purpose": "ARCHIVE"},
            "the purpose of 'Filespace' is ARCHIVE: choose one for FILES",
        ),
        (B2_STORAGE, {"status": "INACTIVE"}, "'Masters' is INACTIVE: activate it"),
        (LL_STORAGE, {"status": "INACTIVE"}, "'Filespace' is INACTIVE: activate it"),
        (B2_STORAGE, {"method": "S3"}, "'Masters' is not on Backblaze B2: its method is S3"),
        (B2_STORAGE, {"method": None}, "'Masters' is not on Backblaze B2: its method is unknown"),
        (LL_STORAGE, {"method": "B2"}, "'Filespace' is also on Backblaze B2"),
        (LL_STORAGE, THROUGH_S3, "'Filespace' is also on Backblaze B2"),
        (B2_STORAGE, {"settings": {"read": False}}, "'Masters' does not allow read access"),
        (B2_STORAGE, {"settings": {"write": False}}, "'Masters' does not allow write access"),
        (LL_STORAGE, {"settings": {"read": False}}, "'Filespace' does not allow read access"),
        (
            LL_STORAGE,
            {"settings": {"write": False, "delete": False}},
            "'Filespace' does not allow write and delete access: allow it in "
            "iconik's storage settings",
        ),
    ],
)
def test_a_storage_that_can_not_do_its_part_is_refused(
    actions: FakeActions,
    capsys: pytest.CaptureFixture[str],
    storage: str,
    change: dict[str, Any],
    told: str,
) -> None:
    actions.storages[storage] = {**actions.storages[storage], **change}
    assert told in failed(capsys)
    assert actions.changes == []


def test_all_that_is_wrong_with_the_storages_is_told_at_once(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    for storage in actions.storages.values():
        storage["purpose"] = "PROXIES"
    assert "the purpose of 'Masters' is PROXIES: choose one for FILES; the purpose of" in failed(
        capsys
    )


def test_masters_may_be_joined_through_s3(actions: FakeActions) -> None:
    actions.storages[B2_STORAGE] |= THROUGH_S3
    assert main(options()) == 0


@pytest.mark.parametrize("joined", [{}, THROUGH_S3], ids=["B2", "S3"])
def test_storages_the_wrong_way_round_are_refused(
    actions: FakeActions, capsys: pytest.CaptureFixture[str], joined: dict[str, Any]
) -> None:
    actions.storages[B2_STORAGE] |= joined
    line = failed(capsys, options(b2=LL_STORAGE, ll=B2_STORAGE))
    assert "the two storages are swapped: 'Masters' is the one on Backblaze B2" in line
    assert actions.changes == []


def test_masters_need_not_be_deletable(actions: FakeActions) -> None:
    actions.storages[B2_STORAGE] = {
        **actions.storages[B2_STORAGE],
        "settings": {"read": True, "write": True, "delete": False},
    }
    assert main(options()) == 0


@pytest.mark.parametrize("ll", [B2_STORAGE, B2_STORAGE.upper(), "Masters"])
def test_one_storage_for_both_is_refused(
    actions: FakeActions, capsys: pytest.CaptureFixture[str], ll: str
) -> None:
    assert "'Masters' cannot be both storages" in failed(capsys, options(ll=ll))
    assert actions.changes == []


@pytest.mark.parametrize("endpoint", ["http://localhost:8000", "http://[::1]:8000/b2"])
def test_on_this_machine_http_will_do(actions: FakeActions, endpoint: str) -> None:
    assert main(options(endpoint=endpoint)) == 0


# Duplicates


def test_duplicates_are_removed_and_told(
    actions: FakeActions, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, *extras = [actions.add(url=url("add"), title=str(number)) for number in range(3)]
    assert main(options()) == 0
    assert len(actions.held) == 6
    assert kept["id"] in actions.held
    assert lines(capsys).count("deleted a duplicate of  Add to LucidLink  ASSET") == len(extras)


def test_the_updated_one_of_duplicates_is_kept_in_whatever_order_they_come(
    actions: FakeActions, monkeypatch: pytest.MonkeyPatch
) -> None:
    updated = actions.add(url=url("add"))["id"]
    actions.add(url=url("add"))
    list_them, orders = Iconik.custom_actions, iter((1, -1, 1))
    monkeypatch.setattr(Iconik, "custom_actions", lambda iconik: list_them(iconik)[:: next(orders)])
    main(options())
    assert updated in actions.held
    assert len(actions.held) == 6


def test_a_creation_whose_answer_is_lost_leaves_no_duplicate(
    actions: FakeActions, http: RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Iconik.create_custom_action

    def create_twice(iconik: Iconik, action: dict[str, Any]) -> None:
        create(iconik, action)
        create(iconik, action)

    monkeypatch.setattr(Iconik, "create_custom_action", create_twice)
    assert main(options()) == 0
    assert len(actions.held) == 6


# Refused


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([], "--endpoint"),
        (options()[:4], "--ll_storage_id"),
        (options(b2=f"{B2_STORAGE}\n"), "--b2_storage_id"),
        (options(ll=""), "--ll_storage_id"),
        (options(endpoint="http://plugin.test"), "--insecure"),
        (options(endpoint="http://127.0.0.1.plugin.test"), "--insecure"),
        (options("--path", "/projects"), "--path"),
        (options("--context", "SHARED_ASSET"), "--context"),
        (options(endpoint="plugin.test"), "--endpoint"),
        (options(endpoint="https://user:hunter2@plugin.test"), "--endpoint"),
        (options("--formats", ""), "--formats"),
        (options("--keep", "soon"), "--keep: must be a time like 12h, 14d or 2w"),
        *[
            (options("--keep-field", name), "--keep-field: must be the name of a metadata field")
            for name in (" ", "Days\x07")
        ],
        (options("--format", "A"), "--format"),
        (options("--formats"), "--formats"),
        (options("more"), "more"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else value,
)
def test_a_wrong_option_is_named_in_one_line(
    argv: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    told = capsys.readouterr()
    assert (caught.value.code, told.out) == (2, "")
    assert len(told.err.splitlines()) == 1
    assert named in told.err
    assert "hunter2" not in told.err


def failed(capsys: pytest.CaptureFixture[str], argv: Sequence[str] = ()) -> str:
    """The one line in which a run fails."""
    assert main(argv or options()) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("create_custom_actions.py: ")
    return told[0]


@pytest.mark.parametrize("name", ["ICONIK_ID", "BZ_SHARED_SECRET", "ICONIK_TOKEN"])
def test_a_missing_variable_is_named(
    actions: FakeActions,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.delenv(name)
    assert f"{name} is not set" in failed(capsys)


STORAGE = f"{API}files/v1/storages/{B2_STORAGE}/"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"status": 401}, "iconik rejects ICONIK_TOKEN (401)"),
        ({"status": 403, "json": {"errors": ["No"]}}, "can_read_storages"),
        ({"status": 400, "json": {"errors": ["no\nsuch\x1bthing"]}}, r"no\nsuch\x1bthing"),
        ({"status": 500}, "iconik answered 500"),
        ({"body": "<html>"}, "not JSON"),
        ({"body": requests.ConnectionError("Auth-Token")}, "the connection to iconik failed"),
        ({"body": requests.ReadTimeout()}, "did not answer in time"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_iconik_does_not_do_is_told_in_one_line(
    http: RequestsMock, capsys: pytest.CaptureFixture[str], answer: dict[str, Any], told: str
) -> None:
    http.get(STORAGE, **answer)
    assert told in failed(capsys)


def test_a_failure_half_way_leaves_what_was_told(
    actions: FakeActions,
    monkeypatch: pytest.MonkeyPatch,
    http: RequestsMock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    http.remove("POST", actions.everything)
    http.add_callback("POST", f"{API}assets/v1/custom_actions/ASSET/", actions.answer)
    http.post(f"{API}assets/v1/custom_actions/COLLECTION/", status=403, json={"errors": ["No"]})
    assert main(options()) == 1
    told = capsys.readouterr()
    assert "created  Add to LucidLink  ASSET" in told.out
    assert "could not create custom action 'Add to LucidLink' (COLLECTION)" in told.err
    assert "can_write_custom_actions" in told.err
    assert [each["context"] for each in actions.held.values()] == ["ASSET"]


def test_neither_secret_nor_token_is_ever_shown(
    actions: FakeActions,
    http: RequestsMock,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(options())
    http.remove("PUT", actions.everything)
    # An iconik that says what was wrong by repeating it.
    http.put(
        actions.everything,
        status=400,
        json={"errors": [f"bad: {environment['BZ_SHARED_SECRET']} {environment['ICONIK_TOKEN']}"]},
    )
    assert main(options()) == 1
    told = capsys.readouterr()
    assert "bad: *** ***" in told.err
    assert environment["BZ_SHARED_SECRET"] not in told.out + told.err
    assert environment["ICONIK_TOKEN"] not in told.out + told.err


def test_a_short_token_leaves_our_own_words_alone(
    http: RequestsMock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ICONIK_TOKEN", "storage")
    http.get(STORAGE, status=400)
    assert f"could not read storage {B2_STORAGE}" in failed(capsys)


def test_an_interrupt_ends_it_quietly(
    actions: FakeActions, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: Iconik) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Iconik, "custom_actions", interrupt)
    assert main(options()) == 130
    assert capsys.readouterr().err == ""
