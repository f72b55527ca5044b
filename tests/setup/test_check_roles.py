"""What is said of the token and its roles, and that asking for them changes nothing."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from requests import ConnectionError as NoConnection
from responses import RequestsMock

from b2_iconik.common.settings import Settings
from b2_iconik.setup import check_roles
from b2_iconik.setup.check_roles import PROBES
from dev.harness import ROOT
from iconik import Iconik
from iconik_http.errors import IconikUnavailable, TokenRejected
from iconik_http.records import UUID
from iconik_http.tokens import Tokens
from iconik_http.transport import Transport
from tests.fake_iconik import API, NoPacer
from tests.test_iconik import CALLS

USER = f"{API}users/v1/users/current/"
TOKEN = f"{API}auth/v1/auth/token/"
SYSTEM = f"{API}settings/v1/system/current/"
EVERYTHING = re.compile(re.escape(API))
ADA = {"first_name": "Ada", "last_name": "Editor", "email": "ada@example.com"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATHS = {
    "can_read_storages": ("GET", "files/v1/storages/"),
    "can_read_assets": ("GET", "assets/v1/assets/{}/"),
    "can_read_formats": ("GET", "files/v1/assets/{}/formats/"),
    "can_read_files": ("GET", "files/v1/assets/{}/files/"),
    "can_read_users": ("GET", "users/v1/users/{}/"),
    "can_read_jobs": ("GET", "jobs/v1/jobs/"),
    "can_read_collections": ("GET", "assets/v1/collections/{}/contents/"),
    "can_write_transfers": ("POST", "files/v1/storages/{}/bulk/"),
    "can_delete_files": ("DELETE", "files/v1/assets/{}/file_sets/{}/"),
    "can_write_files": ("PUT", "files/v1/assets/{}/file_sets/{}/restore/"),
    "can_purge_files": ("POST", "files/v1/delete_queue/file_sets/purge/"),
    "can_write_jobs": ("PATCH", "jobs/v1/jobs/{}/"),
    "can_search": ("POST", "search/v1/search/"),
    "can_read_saved_searches": ("GET", "search/v1/search/saved/{}/"),
    "can_read_playlists": ("GET", "assets/v1/playlists/{}/items/"),
    "can_read_custom_actions": ("GET", "assets/v1/custom_actions/"),
    "can_write_custom_actions": ("PATCH", "assets/v1/custom_actions/ASSET/{}/"),
    "can_delete_custom_actions": ("DELETE", "assets/v1/custom_actions/ASSET/{}/"),
}
ONLY_FOR_SOME = {
    "can_purge_files", "can_write_jobs", "can_write_files", "can_search", "can_read_saved_searches",
    "can_read_playlists", "can_read_users", "can_write_custom_actions", "can_delete_custom_actions",
}  # fmt: skip


@pytest.fixture
def transport(settings: Settings, http: RequestsMock) -> Iterator[Transport]:
    """A way to iconik with the application's token alone."""
    made = Transport(settings.iconik_url, settings.iconik_id, Tokens("token"), NoPacer())
    yield made
    made.close()


def url(path: str) -> re.Pattern[str]:
    """Matches the URL of a call, whatever its ids and query."""
    id_ = "[0-9a-f-]{36}"
    return re.compile(re.escape(API + path).replace(re.escape("{}"), id_) + r"(\?.*)?$")


def roles(iconik: Iconik, transport: Transport) -> dict[str, tuple[str, str]]:
    """State and detail by role."""
    found = check_roles.check_roles(iconik, transport)
    return {each.what: (each.state, each.detail) for each in found}


def token(transport: Transport) -> tuple[str, str]:
    """What is said of the token."""
    (found,) = check_roles.check_token(transport)
    return found.state, found.detail


# Whose token it is


def test_the_token_is_whose_it_is(http: RequestsMock, transport: Transport) -> None:
    http.get(USER, json=ADA)
    assert token(transport) == ("ok", "is valid, and acts as Ada Editor (ada@example.com)")


@pytest.mark.parametrize("status", [400, 403, 404])
def test_where_no_user_is_told_the_newer_call_is_asked(
    http: RequestsMock, transport: Transport, status: int
) -> None:
    http.get(USER, status=status, json={"errors": ["No"]})
    http.get(TOKEN, json={"user_id": "7"})
    assert token(transport) == ("ok", "is valid, and acts as user 7")


def test_an_iconik_that_tells_nothing_is_no_fault_of_the_token(
    http: RequestsMock, transport: Transport
) -> None:
    http.get(USER, status=404, json={"errors": ["No"]})
    http.get(TOKEN, status=404, json={"errors": ["No"]})
    assert token(transport)[0] == "unknown"


@pytest.mark.parametrize(("told", "whose"), [({"id": "5"}, "user 5"), ({}, "user unknown")])
def test_a_user_without_a_name_is_told_by_the_id(
    http: RequestsMock, transport: Transport, told: dict[str, str], whose: str
) -> None:
    http.get(USER, json=told)
    assert token(transport)[1] == f"is valid, and acts as {whose}"


@pytest.mark.parametrize(
    ("answer", "error"), [({"status": 401}, TokenRejected), ({"status": 503}, IconikUnavailable)]
)
def test_a_rejected_token_and_an_iconik_that_is_away_end_it(
    http: RequestsMock, transport: Transport, answer: dict[str, int], error: type[Exception]
) -> None:
    http.get(USER, **answer)
    with pytest.raises(error):
        token(transport)


# Roles


@pytest.mark.parametrize("status", [400, 404, 405])
def test_what_is_not_refused_is_ok(
    http: RequestsMock, iconik: Iconik, transport: Transport, status: int
) -> None:
    for method in METHODS:
        http.add(method, EVERYTHING, status=status, json={"errors": ["No"]})
    found = roles(iconik, transport)
    assert {found.pop(probe.role)[0] for probe in PROBES} == {"ok"}
    assert [state for state, _ in found.values()] == ["note"]


@pytest.mark.parametrize("role", PATHS)
def test_a_missing_role_is_told_with_what_it_is_for(
    http: RequestsMock, iconik: Iconik, transport: Transport, role: str
) -> None:
    method, path = PATHS[role]
    http.add(method, url(path), status=403, json={"errors": ["No such role"]})
    for each in METHODS:
        http.add(each, EVERYTHING, status=404, json={"errors": ["No"]})
    found = roles(iconik, transport)
    state, detail = found.pop(role)
    assert state == ("note" if role in ONLY_FOR_SOME else "wrong")
    assert detail.startswith("needed to ")
    assert detail.endswith("(iconik answered 403: No such role)")
    others = {found[each][0] for each in PATHS if each != role}
    hidden = {"unknown"} if role == "can_read_files" else set()
    assert others == {"ok"} | hidden


def test_the_role_that_restores_is_needed_to_undo_removals(
    http: RequestsMock, iconik: Iconik, transport: Transport
) -> None:
    http.put(url("files/v1/assets/{}/file_sets/{}/restore/"), status=403, json={"errors": ["No"]})
    for each in METHODS:
        http.add(each, EVERYTHING, status=404, json={"errors": ["No"]})
    found = check_roles.check_roles(iconik, transport, is_undoable=True)
    assert [each.what for each in found if each.state == "wrong"] == ["can_write_files"]


@pytest.mark.parametrize(
    ("answer", "state", "detail"),
    [
        ({"json": {"delete_grace_period": 48}}, "ok", "removals can be undone for 48 h, as long"),
        ({"json": {"delete_grace_period": 0}}, "wrong", "is 'later', but no removal can be undone"),
        ({"json": {}}, "unknown", "iconik does not say for how long removals can be undone"),
        ({"status": 403, "json": {"errors": ["No"]}}, "unknown", "could not read the system's"),
        ({"body": NoConnection()}, "unknown", "could not read the system's settings"),
    ],
)
def test_for_how_long_removals_can_be_undone_is_told(
    http: RequestsMock, iconik: Iconik, answer: dict[str, Any], state: str, detail: str
) -> None:
    http.get(SYSTEM, **answer)
    found = check_roles.check_grace_period(iconik)
    assert (found.what, found.state) == ("PURGE", state)
    assert found.detail.startswith(detail)


def test_a_token_that_ends_before_the_grace_period_is_read_ends_it(
    http: RequestsMock, iconik: Iconik
) -> None:
    http.get(SYSTEM, status=401)
    with pytest.raises(TokenRejected):
        check_roles.check_grace_period(iconik)


def test_a_role_is_unknown_while_iconik_does_not_answer(
    http: RequestsMock, iconik: Iconik, transport: Transport
) -> None:
    http.add("GET", url("jobs/v1/jobs/"), body=NoConnection())
    for each in METHODS:
        http.add(each, re.compile(re.escape(API) + "(?!jobs)"), status=404, json={"errors": ["No"]})
    found = roles(iconik, transport)
    assert found["can_read_jobs"][0] == "unknown"
    assert found["can_read_assets"][0] == "ok"


def test_a_token_that_ends_meanwhile_ends_it(
    http: RequestsMock, iconik: Iconik, transport: Transport
) -> None:
    http.add("GET", url("files/v1/storages/"), json={"objects": []})
    for each in METHODS:
        http.add(each, EVERYTHING, status=401)
    with pytest.raises(TokenRejected):
        roles(iconik, transport)


def test_every_role_that_the_documents_list_is_asked_for() -> None:
    (listed,) = re.findall(
        r"^\| role \| .+?\n\n",
        (ROOT / "docs" / "safety.md").read_text() + "\n",
        re.DOTALL | re.MULTILINE,
    )
    asked_for = [probe.role for probe in PROBES]
    assert sorted(asked_for) == sorted(re.findall(r"\bcan_\w+", listed))
    assert sorted(asked_for) == sorted(PATHS)


def test_every_role_that_a_call_needs_is_asked_for() -> None:
    needed = {role for _, _, role in CALLS if role.startswith("can_")}
    assert needed <= {probe.role for probe in PROBES}


def test_nothing_that_is_asked_could_change_anything(
    http: RequestsMock, iconik: Iconik, transport: Transport
) -> None:
    for method in METHODS:
        http.add(method, EVERYTHING, status=404, json={"errors": ["No"]})
    roles(iconik, transport)
    asked = [call.request for call in http.calls]
    writing = [each for each in asked if each.method != "GET"]
    assert len(writing) == 8
    ids: list[str] = []
    for each in writing:
        path = str(each.url).removeprefix(API)
        found = [match.group() for match in UUID.finditer(path)]
        ids += found
        body = json.loads(each.body or "{}")
        if path == "search/v1/search/":
            ids.append(body["query"])
        elif path.endswith("/bulk/"):
            assert body["object_ids"] == []
        elif path == "files/v1/delete_queue/file_sets/purge/":
            # Of none, it might be taken for all that lie there.
            assert len(body["ids"]) == 1
            ids += body["ids"]
        else:
            assert body == {}
            assert path.startswith(
                ("files/v1/assets/", "assets/v1/custom_actions/ASSET/", "jobs/v1/jobs/")
            )
            assert found
    # Each made for this request alone, so that it names nothing.
    assert len(set(ids)) == len(ids) == 10
    first = list(ids)
    http.calls.reset()
    roles(iconik, transport)
    again = " ".join(str(call.request.url) for call in http.calls)
    assert not any(each in again for each in first)
