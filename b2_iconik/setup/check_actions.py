"""Check the custom actions and the two storages."""

import hmac
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from b2_iconik.common.errors import OperationFailed
from b2_iconik.common.settings import Settings
from b2_iconik.domain.click import CLICKED_ACTIONS, SECRET_HEADER, USUAL_CONTEXTS
from b2_iconik.setup import action_url
from b2_iconik.setup.action_url import Endpoint, Existing
from b2_iconik.setup.findings import Finding, note, ok, unknown, wrong
from b2_iconik.setup.menu_entry import USUAL
from b2_iconik.setup.storage_choice import choose, shortcomings
from iconik import Iconik

CREATE = "run create_custom_actions.py"
PRESENT = "custom actions"
SECRETS = "the actions' secret"
STORAGES = "storages"


def check_actions(
    where: Endpoint | None, actions: Sequence[dict[str, Any]], settings: Settings
) -> Iterator[Finding]:
    """Check the custom actions that iconik has.

    Args:
        where: the service; None if unknown.
        actions: all custom actions of iconik's, as CustomActionSchema objects.
        settings: contain the secret that the actions must send.
    """
    if where is None:
        yield unknown(PRESENT, "give --endpoint to check the custom actions that point there")
        return
    ours = action_url.ours(where, actions)
    elsewhere = _elsewhere(where, actions)
    if elsewhere:
        yield note(
            PRESENT,
            f"similar custom actions point to {', '.join(elsewhere)}: to delete them, run "
            "delete_custom_actions.py with that endpoint",
        )
    if not ours:
        yield wrong(PRESENT, f"none points to {where.text}: {CREATE}")
        return
    for entry in dict.fromkeys([*USUAL, *(each.target.entry for each in ours)]):
        contexts = {each.context for each in ours if each.target.entry == entry}
        missing = [each for each in USUAL_CONTEXTS if each not in contexts]
        if missing:
            do = f"{CREATE} {entry.option}".rstrip()
            yield wrong(PRESENT, f"'{entry.title}' is missing for {', '.join(missing)}: {do}")
    for each in ours:
        yield from _look_at(each, settings)
    yield _secrets(ours, settings)


def check_storages(iconik: Iconik, b2: str, ll: str, ours: Sequence[Existing]) -> Iterator[Finding]:
    """Check the given storages, or those that the custom actions name.

    Args:
        b2, ll: id or name of the Backblaze B2 storage and of the LucidLink storage; empty for those
            of the custom actions.

    Raises:
        IconikError: iconik is unavailable or refuses.
    """
    pairs = {(each.target.b2_storage_id, each.target.ll_storage_id) for each in ours}
    if b2 or ll:
        pairs = {(b2 or one, ll or other) for one, other in pairs or {("", "")}}
    if not pairs:
        yield unknown(
            STORAGES,
            "no custom action names them: give --b2_storage_id and --ll_storage_id to check them",
        )
    for pair in sorted(pairs):
        yield from _look_at_storages(iconik, pair)


def _look_at_storages(iconik: Iconik, pair: tuple[str, str]) -> Iterator[Finding]:
    chosen = []
    for name, text in zip(("b2_storage_id", "ll_storage_id"), pair, strict=True):
        if not text:
            yield unknown(name, f"give --{name}, or {CREATE}")
            continue
        try:
            chosen.append(choose(iconik, f"--{name}", text))
        except OperationFailed as error:
            yield wrong(name, f"{error}; {CREATE} with the right one")
    if len(chosen) < len(pair):
        return
    b2, ll = chosen
    problems = shortcomings(b2, ll)
    problems += [
        f"'{each.name}' is FAILING: iconik cannot reach it"
        for each in chosen
        if each.status == "FAILING"
    ]
    for problem in problems:
        yield wrong(STORAGES, problem)
    if not problems:
        yield ok(STORAGES, f"'{b2.name}' (Backblaze B2) and '{ll.name}' (LucidLink) are usable")


def _look_at(action: Existing, settings: Settings) -> Iterator[Finding]:
    what = f"'{action.title}' ({action.context})"
    problems = []
    if action.is_disabled:
        problems.append("is disabled in iconik: nobody can click it")
    if action.app_id and action.app_id.lower() != settings.iconik_id.lower():
        problems.append(f"sends tokens of a different application than ICONIK_ID: {CREATE}")
    if action.status == "FAILING":
        problems.append(
            f"FAILING in iconik: {action.last_error or 'iconik gives no reason'}; see "
            "docs/troubleshooting.md, and click again when it is fixed"
        )
    for problem in problems:
        yield wrong(what, problem)
    if action.target.keep_field and not action.metadata_view:
        yield note(
            what,
            "has no metadata view: in iconik, choose one that has the field "
            f"'{action.target.keep_field}', or nothing is added",
        )
    if not problems:
        yield ok(what, f"exists{f', {action.status} in iconik' if action.status else ''}")


def _secrets(ours: Sequence[Existing], settings: Settings) -> Finding:
    found = defaultdict[str, int](int)
    for each in ours:
        sent = each.headers.get(SECRET_HEADER)
        if sent is None:
            found["none" if each.headers else "unknown"] += 1
        elif hmac.compare_digest(sent.encode(), settings.secret.encode()):
            found["same"] += 1
        else:
            found["other"] += 1
    if found["other"] or found["none"]:
        return wrong(
            SECRETS,
            f"BZ_SHARED_SECRET is missing from {found['other'] + found['none']} of {len(ours)}, "
            f"where a different secret or none is sent: {CREATE}",
        )
    if found["unknown"]:
        return unknown(SECRETS, "iconik does not show it: only a click can check it")
    return ok(SECRETS, f"BZ_SHARED_SECRET, sent by all {len(ours)}")


def _elsewhere(where: Endpoint, actions: Sequence[dict[str, Any]]) -> list[str]:
    """Return the distinct other places that custom actions like ours point to."""
    found = set()
    for each in actions:
        parts = urlsplit(str(each.get("url")))
        place, _, action = parts.path.rpartition("/")
        is_like_ours = action in CLICKED_ACTIONS and "ll_storage_id=" in parts.query
        if is_like_ours and action_url.read(where, each.get("url")) is None:
            # The port is part of the place; a name and a password are not.
            found.add(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{place}")
    return sorted(found)
