"""The assets that a click selects: collections, saved searches and playlists, to any depth."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import (
    NO_REASON,
    NOT_LISTED,
    OTHERS_LEFT_OUT,
    Reason,
    joined,
    reason_of,
)
from b2_iconik.operation.hints import hint_of
from iconik import Iconik, Map
from iconik_http.errors import IconikRefused, IconikUnavailable, Incomplete, NotFound
from iconik_http.records import Listed

# Of up to this many collections, the pages are listed in parallel; of more, the collections.
FEW = 4
# How many times iconik may fail to list one collection while it answers other requests. With the
# waits in between this takes about ten minutes, about as long as the attempts for one asset.
MOST_FAILURES = 25
# How many times a list may be incomplete. This is lower because an incomplete list still comes with
# its contents, and nothing should wait long for the rest.
MOST_INCOMPLETE = 5
# An iconik search shows at most this many results, and may give this number as their total.
SEARCH_WINDOW = 10_000
# How many types of left-out objects are named, and how many characters of each type.
MOST_TYPES, LONGEST_TYPE = 5, 40

Kind = Literal["collection", "saved search", "playlist"]
Which = tuple[Kind, str]


@dataclass
class _Contents:
    """What was listed of one collection, saved search or playlist.

    Attributes:
        listed: how many objects were listed in all.
        others: the number of objects that are neither assets nor collections, by type.
        problem: why it could not be opened, or not listed completely.
        unanswered: iconik's failure, if the listing must be tried again.
    """

    assets: dict[str, Hint | None] = field(default_factory=dict)
    collections: list[str] = field(default_factory=list)
    listed: int = 0
    others: Counter[str] = field(default_factory=Counter)
    problem: Reason = NO_REASON
    unanswered: IconikUnavailable | None = None

    def add(self, found: Listed, click: CustomAction) -> None:
        """Add one listed object."""
        self.listed += 1
        if found.kind == "asset":
            # Of its asset, a segment shows only the id.
            hint = None if found.is_segment else hint_of(found, click)
            self.assets[found.id] = self.assets.get(found.id) or hint
        elif found.kind == "collection":
            self.collections.append(found.id)
        else:
            self.others[found.object_type if found.id else f"{found.object_type} without id"] += 1


class Selection:
    """The assets that a click selects. It counts how often iconik failed to list something.

    Args:
        check: called before each collection; may raise to stop.
        side_by_side: like ``map``, but may run its calls in parallel. Calls are not nested.
    """

    def __init__(
        self,
        click: CustomAction,
        iconik: Iconik,
        check: Callable[[], None],
        side_by_side: Callable[..., Iterable[Any]] = map,
    ) -> None:
        self._click = click
        self._iconik = iconik
        self._check = check
        self._side_by_side = side_by_side
        # How many times in a row.
        self._failures: Counter[Which] = Counter()

    def expand(self) -> tuple[dict[str, Hint | None], dict[str, Reason]]:
        """List the selected assets, each once. Collections and pages are listed in parallel.

        Returns:
            By asset id, what a listing suggests; None if none has shown the asset. And by the name
            of a collection, saved search or playlist, why it could not be opened or not listed
            completely, or what was left out.

        Raises:
            IconikUnavailable: iconik is unavailable, or a failed listing must be tried again.
            TokenRejected: iconik no longer accepts any token.
        """
        click = self._click
        assets: dict[str, Hint | None] = dict.fromkeys(click.asset_ids)
        gone: dict[str, Reason] = {}
        to_open: list[Which] = [("playlist", each) for each in click.playlist_ids]
        to_open += [("saved search", each) for each in click.saved_search_ids]
        to_open += [("collection", each) for each in dict.fromkeys(click.collection_ids)]
        seen = set(click.collection_ids)
        while to_open:
            opened = list(zip(to_open, self._open_all(to_open), strict=True))
            self._count(opened)
            to_open = []
            for (kind, name), contents in opened:
                for asset_id, hint in contents.assets.items():
                    assets[asset_id] = assets.get(asset_id) or hint
                for collection_id in contents.collections:
                    if collection_id not in seen:
                        seen.add(collection_id)
                        to_open.append(("collection", collection_id))
                problems = [*filter(None, (contents.problem, _left_out(contents)))]
                if problems:
                    gone[f"{kind} {name}"] = joined(problems)
        return assets, gone

    def _open_all(self, to_open: Sequence[Which]) -> Iterable[_Contents]:
        if len(to_open) <= FEW:
            return [self._open(each, self._side_by_side) for each in to_open]
        return self._side_by_side(lambda which: self._open(which, map), to_open)

    def _open(self, which: Which, pages: Map) -> _Contents:
        self._check()
        # Its contents must be visible to the user, not only to the application.
        own = self._iconik.limited(lambda: False)
        contents = _open(*which, own, pages, self._click)
        if contents.unanswered:
            # This raises if iconik is entirely unavailable, so that no failure is counted here.
            self._iconik.storage(self._click.ll_storage_id)
        return contents

    def _count(self, opened: Sequence[tuple[Which, _Contents]]) -> None:
        """Count the failed listings, and give up those that failed too often.

        Raises:
            IconikUnavailable: a listing must be tried again.
        """
        again = None
        for which, contents in opened:
            if contents.unanswered is None:
                del self._failures[which]
                continue
            self._failures[which] += 1
            times = self._failures[which]
            is_incomplete = isinstance(contents.unanswered, Incomplete)
            if times < (MOST_INCOMPLETE if is_incomplete else MOST_FAILURES):
                again = again or contents.unanswered
            else:
                contents.problem = NOT_LISTED(
                    error=reason_of(contents.unanswered), times=times, done=_done(contents)
                )
        if again:
            raise again


def _open(
    kind: Kind,
    object_id: str,
    iconik: Iconik,
    pages: Map,
    click: CustomAction,
) -> _Contents:
    """The direct contents of a collection, search or playlist, as far as iconik lists them."""
    contents = _Contents()
    lists: dict[Kind, Callable[[str, Map], Iterator[Listed]]] = {
        "collection": iconik.collection_contents,
        "saved search": iconik.saved_search_results,
        "playlist": iconik.playlist_items,
    }
    try:
        for found in lists[kind](object_id, pages):
            contents.add(found, click)
    except NotFound:
        contents.problem = Reason(f"the {kind} no longer exists in iconik")
    except IconikUnavailable as error:
        contents.unanswered = error
    except IconikRefused as refusal:
        contents.problem = reason_of(refusal)
        if contents.listed:
            contents.problem += f", so {_done(contents)}"
    else:
        if contents.listed == SEARCH_WINDOW:
            contents.problem = Reason(
                f"iconik lists at most {SEARCH_WINDOW:,} results of a search, so some may be "
                "missing: split it into several smaller searches"
            )
    return contents


def _done(contents: _Contents) -> str:
    """How much was done of a listing that is incomplete."""
    usable = len(contents.assets) + len(contents.collections)
    if not usable:
        return "nothing in it was processed"
    return f"only {usable:,} of its assets and collections could be processed"


def _left_out(contents: _Contents) -> Reason:
    """The listed objects that are neither assets nor collections; empty if there are none."""
    count = contents.others.total()
    if not count:
        return NO_REASON
    types = [
        f"{each[:LONGEST_TYPE] if each.isprintable() else 'unknown type'} ({times:,})"
        for each, times in contents.others.most_common(MOST_TYPES)
    ]
    more = ", …" if len(contents.others) > MOST_TYPES else ""
    are = "is not an asset and was" if count == 1 else "are not assets and were"
    told = f"{', '.join(types)}{more}"
    return OTHERS_LEFT_OUT(count=count, listed=contents.listed, are=are, types=told)
