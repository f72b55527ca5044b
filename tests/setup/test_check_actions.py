"""What is said of the custom actions and the two storages."""

from typing import Any

import pytest

from b2_iconik.common.settings import Settings
from b2_iconik.domain.click import TITLES, USUAL_ACTIONS, Action
from b2_iconik.setup import action_url, check_actions
from b2_iconik.setup.action_url import endpoint
from iconik import Iconik
from tests.fake_iconik import B2_STORAGE, LL_STORAGE, FakeActions

WHERE = endpoint("https://plugin.test")
OTHER = "00000000-0000-4000-8000-000000000000"


def record(
    settings: Settings, action: Action = "add", context: str = "ASSET", **changes: Any
) -> dict[str, Any]:
    """A custom action as iconik has it when all is well."""
    query = f"b2_storage_id={B2_STORAGE}&ll_storage_id={LL_STORAGE}"
    return {
        "id": f"{action}-{context}",
        "context": context,
        "title": TITLES[action],
        "type": "POST",
        "url": f"https://plugin.test/{action}?{query}",
        "headers": {"X-BZ-Secret": settings.secret},
        "app_id": settings.iconik_id,
        "status": "HEALTHY",
        **changes,
    }


def records(settings: Settings, **changes: Any) -> list[dict[str, Any]]:
    """All six, the first of which is changed."""
    found = [
        record(settings, action, context)
        for action in USUAL_ACTIONS
        for context in ("ASSET", "COLLECTION", "BULK")
    ]
    return [{**found[0], **changes}, *found[1:]]


def said(actions: list[dict[str, Any]], settings: Settings) -> list[tuple[str, str, str]]:
    """What, how it is, and the detail."""
    found = check_actions.check_actions(WHERE, actions, settings)
    return [(each.what, each.state, each.detail) for each in found]


def wrong(actions: list[dict[str, Any]], settings: Settings) -> list[str]:
    """The details of what is wrong."""
    return [detail for _, state, detail in said(actions, settings) if state == "wrong"]


# Custom actions


def test_actions_that_are_as_they_should_be(settings: Settings) -> None:
    found = said(records(settings), settings)
    assert {state for _, state, _ in found} == {"ok"}
    assert found[0] == ("'Add to LucidLink' (ASSET)", "ok", "exists, HEALTHY in iconik")
    assert found[-1] == ("the actions' secret", "ok", "BZ_SHARED_SECRET, sent by all 6")


def test_without_an_endpoint_none_can_be_told(settings: Settings) -> None:
    (found,) = check_actions.check_actions(None, records(settings), settings)
    assert (found.what, found.state) == ("custom actions", "unknown")


def test_that_there_are_none_is_told(settings: Settings) -> None:
    assert wrong([], settings) == [
        "none points to https://plugin.test: run create_custom_actions.py"
    ]


def test_what_is_not_there_is_told(settings: Settings) -> None:
    assert wrong(records(settings)[2:5], settings) == [
        "'Add to LucidLink' is missing for ASSET, COLLECTION: run create_custom_actions.py",
        "'Remove from LucidLink' is missing for BULK: run create_custom_actions.py",
    ]


def test_a_preview_is_optional_but_not_in_parts(settings: Settings) -> None:
    some = [record(settings, "preview", each) for each in ("COLLECTION", "BULK")]
    assert wrong([*records(settings), *some], settings) == [
        "'Preview removal from LucidLink' is missing for ASSET: run create_custom_actions.py"
        " --preview"
    ]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("&keep=14d", "'Add to LucidLink for 14 days' is missing for ASSET: {} --keep 14d"),
        (
            "&keep_field=Days%20kept",
            "'Add to LucidLink for a while' is missing for ASSET: {} --keep-field 'Days kept'",
        ),
    ],
)
def test_an_add_for_a_while_is_optional_but_not_in_parts(
    settings: Settings, more: str, told: str
) -> None:
    some = [record(settings, context=each) for each in ("COLLECTION", "BULK")]
    some = [{**each, "url": each["url"] + more} for each in some]
    assert wrong([*records(settings), *some], settings) == [
        told.format("run create_custom_actions.py")
    ]


def test_an_add_for_a_while_does_not_replace_the_usual_one(settings: Settings) -> None:
    some = [{**each, "url": each["url"] + "&keep=14d"} for each in records(settings)[:3]]
    assert wrong([*some, *records(settings)[3:]], settings) == [
        "'Add to LucidLink' is missing for ASSET, COLLECTION, BULK: run create_custom_actions.py"
    ]


@pytest.mark.parametrize(("view", "notes"), [(OTHER, 0), (None, 3)])
def test_a_field_needs_a_metadata_view(settings: Settings, view: str | None, notes: int) -> None:
    some = [record(settings, context=each) for each in ("ASSET", "COLLECTION", "BULK")]
    more = {"title": "Add for a while", "metadata_view": view}
    some = [{**each, **more, "url": each["url"] + "&keep_field=Days"} for each in some]
    found = said([*records(settings), *some], settings)
    noted = [(what, detail) for what, state, detail in found if state == "note"]
    assert len(noted) == notes
    for what, detail in noted:
        assert what.startswith("'Add for a while' (")
        assert "choose one that has the field 'Days'" in detail


def test_those_of_another_place_are_noted(settings: Settings) -> None:
    query = f"b2_storage_id={B2_STORAGE}&ll_storage_id={LL_STORAGE}"
    others = [
        record(settings, url=f"https://old.test/b2/add?{query}"),
        record(settings, url=f"https://old.test/b2/remove?{query}"),
        record(settings, url="https://else.test/add"),
        record(settings, url=None),
    ]
    noted = [detail for _, state, detail in said(others, settings) if state == "note"]
    assert len(noted) == 1
    assert noted[0].startswith("similar custom actions point to https://old.test/b2: ")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://localhost:8000/add", "http://localhost:8000"),
        ("https://[::1]:8443/b2/add", "https://[::1]:8443/b2"),
        ("https://ada:hunter2@old.test:8443/add", "https://old.test:8443"),
    ],
)
def test_another_place_is_noted_with_its_port_but_no_password(
    settings: Settings, url: str, told: str
) -> None:
    query = f"b2_storage_id={B2_STORAGE}&ll_storage_id={LL_STORAGE}"
    found = said([record(settings, url=f"{url}?{query}")], settings)
    assert found[0][2].startswith(f"similar custom actions point to {told}: ")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"disabled": True}, "is disabled in iconik"),
        ({"app_id": OTHER}, "a different application than ICONIK_ID: run create_custom_actions.py"),
        ({"status": "FAILING", "last_error": "401: wrong"}, "FAILING in iconik: 401: wrong; see"),
        (
            {"status": "FAILING"},
            "FAILING in iconik: iconik gives no reason; see docs/troubleshooting.md",
        ),
    ],
)
def test_an_action_that_does_not_work_is_told(
    settings: Settings, changes: dict[str, Any], told: str
) -> None:
    ((what, state, detail),) = [
        each for each in said(records(settings, **changes), settings) if each[1] != "ok"
    ]
    assert (what, state) == ("'Add to LucidLink' (ASSET)", "wrong")
    assert told in detail


def test_what_iconik_does_not_say_is_no_fault(settings: Settings) -> None:
    assert wrong(records(settings, status=None, app_id=None), settings) == []


# Their secret


@pytest.mark.parametrize(
    "headers", [{"x-bz-secret": "another"}, {"x-bz-secret": "ä"}, {"x-other": "1"}]
)
def test_an_action_with_another_secret_is_told(settings: Settings, headers: dict[str, str]) -> None:
    (told,) = wrong(records(settings, headers=headers), settings)
    assert told.startswith("BZ_SHARED_SECRET is missing from 1 of 6, where a different")
    assert settings.secret not in told


@pytest.mark.parametrize("headers", [None, {}])
def test_a_secret_that_iconik_does_not_show_is_unknown(settings: Settings, headers: object) -> None:
    last = said(records(settings, headers=headers), settings)[-1]
    assert last[:2] == ("the actions' secret", "unknown")


# Storages


def storages(
    iconik: Iconik, settings: Settings, b2: str = "", ll: str = "", *actions: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """What is said of the storages."""
    ours = action_url.ours(WHERE, actions)
    found = check_actions.check_storages(iconik, b2, ll, ours)
    return [(each.what, each.state, each.detail) for each in found]


def test_the_storages_of_the_actions_are_looked_at(
    actions: FakeActions, iconik: Iconik, settings: Settings
) -> None:
    assert storages(iconik, settings, "", "", *records(settings)) == [
        ("storages", "ok", "'Masters' (Backblaze B2) and 'Filespace' (LucidLink) are usable")
    ]


def test_given_storages_are_looked_at_instead(
    actions: FakeActions, iconik: Iconik, settings: Settings
) -> None:
    strange = record(settings, url=f"https://plugin.test/add?b2_storage_id={OTHER}")
    assert storages(iconik, settings, "Masters", "Filespace", strange)[0][1] == "ok"
    assert storages(iconik, settings, "Masters", "Filespace")[0][1] == "ok"


def test_a_storage_that_iconik_does_not_know_is_told(
    actions: FakeActions, iconik: Iconik, settings: Settings
) -> None:
    del actions.storages[LL_STORAGE]
    ((what, state, detail),) = storages(iconik, settings, "", "", *records(settings))
    assert (what, state) == ("ll_storage_id", "wrong")
    assert f"iconik has no storage {LL_STORAGE}" in detail
    assert detail.endswith("run create_custom_actions.py with the right one")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"purpose": "PROXIES"}, "the purpose of 'Filespace' is PROXIES: choose one for FILES"),
        ({"settings": {"delete": False}}, "'Filespace' does not allow delete access"),
        ({"status": "FAILING"}, "'Filespace' is FAILING: iconik cannot reach it"),
    ],
)
def test_a_storage_that_can_not_do_its_part_is_told(
    actions: FakeActions, iconik: Iconik, settings: Settings, change: dict[str, Any], told: str
) -> None:
    actions.storages[LL_STORAGE].update(change)
    ((what, state, detail),) = storages(iconik, settings, "", "", *records(settings))
    assert (what, state) == ("storages", "wrong")
    assert told in detail


def test_without_storages_there_is_nothing_to_look_at(iconik: Iconik, settings: Settings) -> None:
    ((what, state, detail),) = storages(iconik, settings)
    assert (what, state) == ("storages", "unknown")
    assert "give --b2_storage_id and --ll_storage_id" in detail


def test_one_storage_alone_is_not_enough(
    actions: FakeActions, iconik: Iconik, settings: Settings
) -> None:
    assert storages(iconik, settings, "Masters") == [
        ("ll_storage_id", "unknown", "give --ll_storage_id, or run create_custom_actions.py")
    ]
