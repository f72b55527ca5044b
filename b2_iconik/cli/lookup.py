"""Find the operation or the asset that a person names: by a short id, a title or an address."""

from collections.abc import Sequence

import sqlalchemy as sa

from b2_iconik.cli.lists import SHORT_ID
from b2_iconik.common.errors import PluginError
from b2_iconik.domain.operation import Operation
from b2_iconik.report.asset_history import AssetHistory
from b2_iconik.report.contents import Contents
from b2_iconik.report.reported import SHORTEST_ID, Asset
from iconik_http.records import UUID

# The maximum number of candidates listed for an ambiguous name.
CANDIDATES = 5


class NotFound(PluginError):
    """A name stands for nothing, or for several things. The message says which."""


def find_operation(contents: Contents, text: str) -> Operation:
    """Return the operation with an id.

    Args:
        text: the id, its unique start, or an address that contains it.

    Raises:
        NotFound: there is none, or more than one.
    """
    pasted = UUID.search(text.lower())
    wanted = pasted[0] if pasted else text.lower()
    exact = contents.operation(wanted)
    if exact:
        return exact
    if len(wanted) < SHORTEST_ID:
        raise NotFound(f"operation {text}: give at least {SHORTEST_ID} characters of its id")
    found = contents.history.starting_with(wanted, CANDIDATES + 1)
    if not found:
        raise NotFound(f"operation {text} does not exist, or is no longer stored")
    told = contents.summaries(found)
    candidates = [(each["title"], each["operation_id"]) for each in told]
    _check_is_one(f"operation {text}", candidates, len(wanted))
    return found[0]


def only_asset(found: Sequence[Asset], operation: Operation, text: str) -> Asset:
    """Return the asset that a text names.

    Args:
        found: the assets that the text may name, up to one more than ``CANDIDATES``.
        text: the text, for messages.

    Raises:
        NotFound: there is none, or more than one.
    """
    if not found:
        raise NotFound(
            f"asset {text}: operation {operation.id} does not include it, or has not listed it yet"
        )
    candidates = [(each.title or "untitled asset", each.asset_id) for each in found]
    is_id = all(each.asset_id.startswith(text.lower()) for each in found)
    _check_is_one(f"asset {text}", candidates, len(text) if is_id else 0)
    return found[0]


def known_asset(engine: sa.Engine, text: str) -> tuple[str, str]:
    """Return the id of an asset that the service knows, and its title; "" if that is unknown.

    Args:
        text: the id, or an address that contains it.

    Raises:
        NotFound: the service knows no such asset.
    """
    pasted = UUID.search(text.lower())
    asset_id = pasted[0] if pasted else text
    told = AssetHistory(engine).of(asset_id)
    if told is None:
        raise NotFound(
            f"asset {text}: the service knows no such asset; give its id, or its address in iconik"
        )
    return asset_id, told["asset"] or ""


def _check_is_one(what: str, candidates: Sequence[tuple[str, str]], length: int) -> None:
    """Refuse several candidates, given by title and id.

    The ids are shown so long that they differ, if those of all begin with the given text.
    """
    if len(candidates) == 1:
        return
    length = max(SHORT_ID, length + 4)
    shown = [f"{title} ({id_[:length]})" for title, id_ in candidates]
    more = ["…"] if len(shown) > CANDIDATES else []
    raise NotFound(f"{what} is ambiguous: {'; '.join(shown[:CANDIDATES] + more)}")
