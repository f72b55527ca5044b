"""Check who owns the application token, and which roles it has, without changing anything.

A request that reads names an object that can't exist: without the role, iconik answers 403, with
the role 404. A request that writes does the same, and would have no effect in any case: it copies
no assets to a storage that doesn't exist, deletes what never existed, or changes nothing. The ids
are random, and new for each request.
"""

import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from b2_iconik.setup.findings import Finding, note, ok, unknown, wrong
from iconik import Iconik, Transport
from iconik_http.errors import IconikRefused, IconikUnavailable, NotPermitted
from iconik_http.records import name_of_user

TOKEN = "ICONIK_TOKEN"  # noqa: S105 - a variable's name
PURGE = "PURGE"
# The role that restores file sets.
UNDO = "can_write_files"


@dataclass(frozen=True)
class Probe:
    """A request that shows whether the token has a role.

    Attributes:
        purpose: what the plugin uses it for.
        ask: sends the request; takes a client and its transport.
        needs: another role that iconik requires for the request. If it is missing, this role can't
            be checked.
        is_common: whether the plugin can't work at all without the role.
    """

    role: str
    purpose: str
    ask: Callable[[Iconik, Transport], Any]
    needs: str = ""
    is_common: bool = True


def new_id() -> str:
    """Return the id of nothing."""
    return str(uuid.uuid4())


def _search(_: Iconik, http: Transport) -> object:
    body = {"query": new_id(), "doc_types": ["assets"]}
    return http.object("POST", "search/v1/search/", "search", "can_search", json=body)


def _change_action(_: Iconik, http: Transport) -> object:
    path = f"assets/v1/custom_actions/ASSET/{new_id()}/"
    call = "test the permission to change custom actions"
    return http.object("PATCH", path, call, "can_write_custom_actions", json={})


PROBES = (
    Probe("can_read_storages", "see the two storages", lambda iconik, _: iconik.storages()),
    Probe(
        "can_read_assets",
        "see whether an asset exists",
        lambda iconik, _: iconik.asset_exists(new_id()),
    ),
    Probe(
        "can_read_formats",
        "see the formats of an asset",
        lambda iconik, _: iconik.formats(new_id()),
    ),
    Probe("can_read_files", "see where files are", lambda iconik, _: iconik.files(new_id())),
    Probe("can_read_jobs", "follow copies", lambda iconik, _: iconik.jobs([new_id()])),
    Probe(
        "can_read_collections",
        "open collections",
        lambda iconik, _: list(iconik.collection_contents(new_id())),
    ),
    Probe(
        "can_write_transfers",
        "copy files",
        lambda iconik, _: iconik.copy_to_storage(new_id(), "ORIGINAL", [], new_id()),
        needs="can_read_files",
    ),
    Probe(
        "can_delete_files",
        "remove files from LucidLink",
        lambda iconik, _: iconik.delete_file_set(new_id(), new_id(), until=math.inf),
    ),
    Probe(
        UNDO,
        "undo a removal, and restore what is marked deleted but no longer proven safe",
        lambda iconik, _: iconik.restore_file_set(new_id(), new_id()),
        is_common=False,
    ),
    # The id is of no file set. Without an id, iconik might purge the whole delete queue.
    Probe(
        "can_purge_files",
        "remove many files from LucidLink at once, which is faster",
        lambda iconik, _: iconik.purge_file_sets([new_id()], until=math.inf),
        is_common=False,
    ),
    Probe(
        "can_write_jobs",
        "show operations in iconik's jobs list",
        lambda iconik, _: iconik.update_job(new_id(), {}),
        is_common=False,
    ),
    Probe(
        "can_read_users",
        "show users by name",
        lambda iconik, _: iconik.user_name(new_id()),
        is_common=False,
    ),
    Probe("can_search", "find many assets at once, which is faster", _search, is_common=False),
    Probe(
        "can_read_saved_searches",
        "open saved searches",
        lambda iconik, _: list(iconik.saved_search_results(new_id())),
        is_common=False,
    ),
    Probe(
        "can_read_playlists",
        "open playlists",
        lambda iconik, _: list(iconik.playlist_items(new_id())),
        is_common=False,
    ),
    Probe(
        "can_read_custom_actions",
        "set up the custom actions",
        lambda iconik, _: iconik.custom_actions(),
    ),
    Probe("can_write_custom_actions", "set up the custom actions", _change_action, is_common=False),
    Probe(
        "can_delete_custom_actions",
        "delete custom actions",
        lambda iconik, _: iconik.delete_custom_action("ASSET", new_id()),
        is_common=False,
    ),
)


def check_token(http: Transport) -> Iterator[Finding]:
    """Check that iconik is reachable and accepts the token, and find out who owns the token.

    Raises:
        TokenRejected, IconikUnavailable: iconik rejects the token or is unavailable, so roles can't
            be checked either.
    """
    for path in ("users/v1/users/current/", "auth/v1/auth/token/"):
        try:
            told = http.object("GET", path, "find out who owns the token", "none")
        except IconikRefused:
            # An application's token may not belong to a user, and not every iconik has the newer
            # call.
            continue
        whose = name_of_user(told) or f"user {told.get('user_id') or told.get('id') or 'unknown'}"
        mail = told.get("email")
        yield ok(
            TOKEN,
            f"is valid, and acts as {whose}" + (f" ({mail})" if mail and mail != whose else ""),
        )
        return
    yield unknown(TOKEN, "was accepted, but iconik does not say whose it is")


def check_roles(iconik: Iconik, http: Transport, *, is_undoable: bool = False) -> Iterator[Finding]:
    """Check which roles the token has.

    Args:
        is_undoable: whether removals can be undone (PURGE=later), which needs one more role.

    Raises:
        TokenRejected: the token has become invalid during the check.
    """
    missing = set[str]()
    for probe in PROBES:
        if probe.needs in missing:
            yield unknown(probe.role, f"cannot be checked without {probe.needs}")
            continue
        try:
            refusal = _refusal(probe, iconik, http)
        except IconikUnavailable as error:
            yield unknown(probe.role, str(error))
            continue
        if refusal is None:
            yield ok(probe.role, f"not refused; needed to {probe.purpose}")
            continue
        missing.add(probe.role)
        detail = (
            f"needed to {probe.purpose}: give this role to the token's user in iconik ({refusal})"
        )
        is_needed = probe.is_common or (is_undoable and probe.role == UNDO)
        yield wrong(probe.role, detail) if is_needed else note(probe.role, detail)
    yield note(
        "roles of other users",
        "a click uses the token of the person who clicks, who needs the same roles; only a click "
        "by that person can show whether they are there",
    )


def check_grace_period(iconik: Iconik) -> Finding:
    """Find out for how long removals can be undone (PURGE=later).

    Raises:
        TokenRejected: the token has become invalid during the check.
    """
    try:
        hours = iconik.delete_grace_period()
    except (IconikRefused, IconikUnavailable) as error:
        return unknown(PURGE, f"{error}; the service assumes that removals can be undone for 24 h")
    if hours is None:
        return unknown(
            PURGE,
            "iconik does not say for how long removals can be undone; the service assumes 24 h",
        )
    if not hours:
        return wrong(
            PURGE,
            "is 'later', but no removal can be undone: the grace period of iconik's delete queue "
            "is 0",
        )
    return ok(
        PURGE, f"removals can be undone for {hours:g} h, as long as iconik's delete queue waits"
    )


def _refusal(probe: Probe, iconik: Iconik, http: Transport) -> str | None:
    """Return why the token lacks the role; None if it has the role."""
    try:
        probe.ask(iconik, http)
    except NotPermitted as error:
        return error.problem
    except IconikRefused:
        # The object doesn't exist, or there is nothing to do. The token has the role.
        pass
    return None
