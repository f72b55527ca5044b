"""Which assets a click is about: its collections and saved searches, opened to any depth."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import logs
from custom_action import CustomAction
from errors import IconikRefused, NotFound, TokenRejected
from iconik import Iconik
from records import Listed

OPENED_AT_ONCE = 8
PAGES_AT_ONCE = 16

Kind = Literal["collection", "saved search"]
# What is kept of what a listing shows of an asset.
Hint = Mapping[str, str]


@dataclass
class _Contents:
    assets: dict[str, Hint] = field(default_factory=dict)
    collections: list[str] = field(default_factory=list)
    problem: str = ""


def expand(
    click: CustomAction,
    iconik: Iconik,
    check: Callable[[], None],
    hint: Callable[[Listed], Hint] = lambda listed: {},
) -> tuple[dict[str, Hint], dict[str, str]]:
    """List the assets of a selection, each once; collections and pages side by side.

    Args:
        check: called before each collection; may raise to stop.
        hint: what to keep of what a listing shows of an asset.

    Returns:
        What was kept, by asset id; and why a collection or saved search could not be opened, by
        its name.

    Raises:
        IconikUnavailable: iconik gave no usable answer.
        TokenRejected: iconik accepts no token any more.
    """
    assets: dict[str, Hint] = {each: {} for each in click.asset_ids}
    gone: dict[str, str] = {}
    to_open: list[tuple[Kind, str]] = [("saved search", each) for each in click.saved_search_ids]
    to_open += [("collection", each) for each in dict.fromkeys(click.collection_ids)]
    seen = set(click.collection_ids)
    with logs.pool(OPENED_AT_ONCE) as openers, logs.pool(PAGES_AT_ONCE) as pages:

        def open_one(which: tuple[Kind, str]) -> _Contents:
            check()
            return _open(*which, iconik, pages, hint)

        while to_open:
            opened = list(zip(to_open, openers.map(open_one, to_open), strict=True))
            to_open = []
            for (kind, name), contents in opened:
                for asset_id, kept in contents.assets.items():
                    assets.setdefault(asset_id, kept)
                for collection_id in contents.collections:
                    if collection_id not in seen:
                        seen.add(collection_id)
                        to_open.append(("collection", collection_id))
                if contents.problem:
                    gone[f"{kind} {name}"] = contents.problem
    return assets, gone


def _open(
    kind: Kind,
    object_id: str,
    iconik: Iconik,
    pages: ThreadPoolExecutor,
    hint: Callable[[Listed], Hint],
) -> _Contents:
    """What is directly in a collection or saved search."""
    contents = _Contents()
    try:
        if kind == "collection":
            listing = iconik.collection_contents(object_id, pages.map)
        else:
            listing = iconik.saved_search_results(object_id, pages.map)
        for listed in listing:
            if listed.object_type == "assets":
                contents.assets[listed.id] = hint(listed)
            elif listed.object_type == "collections":
                contents.collections.append(listed.id)
    except NotFound:
        contents.problem = f"iconik knows the {kind} no more"
    except TokenRejected:
        raise
    except IconikRefused as refusal:
        contents.problem = str(refusal)
    return contents
