"""Which assets a click is about: collections, saved searches and playlists, to any depth."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.reasons import (
    NO_REASON,
    NOT_LISTED,
    OTHERS_LEFT_OUT,
    Reason,
    joined,
    reason_of,
)
from iconik import Iconik, Map
from iconik_http.errors import IconikRefused, IconikUnavailable, Incomplete, NotFound, TokenRejected
from iconik_http.records import Listed

# Of so few, the pages are listed side by side; of more, the collections are.
FEW = 4
# So often iconik may fail to list one collection, while it answers otherwise: with the waits in
# between some ten minutes, about as long as it is asked about one asset.
MOST_FAILURES = 25
# So often a list may be incomplete. It comes with what it holds, so nothing waits for it for long.
MOST_INCOMPLETE = 5
# A search of iconik's shows no more than so many results, and may tell that as their total.
SEARCH_WINDOW = 10_000
# Of the types of what is left out, so many are named, so much of each.
MOST_TYPES, LONGEST_TYPE = 5, 40

Kind = Literal["collection", "saved search", "playlist"]
Which = tuple[Kind, str]
# What is kept of what a listing shows of an asset.
Hint = Mapping[str, str]


@dataclass
class _Contents:
    """What was listed of one of them.

    Attributes:
        listed: how many objects that is in all.
        others: of what types, and how often, those are that are neither asset nor collection.
        problem: why it could not be opened, or not to its end.
        unanswered: iconik's failure; it is to be tried again.
    """

    assets: dict[str, Hint] = field(default_factory=dict)
    collections: list[str] = field(default_factory=list)
    listed: int = 0
    others: Counter[str] = field(default_factory=Counter)
    problem: Reason = NO_REASON
    unanswered: IconikUnavailable | None = None

    def add(self, found: Listed, hint: Callable[[Listed], Hint]) -> None:
        """Take up one object of the listing."""
        self.listed += 1
        if found.kind == "asset":
            kept = {} if found.is_segment else hint(found)
            self.assets[found.id] = self.assets.get(found.id) or kept
        elif found.kind == "collection":
            self.collections.append(found.id)
        else:
            self.others[found.object_type if found.id else f"{found.object_type} without id"] += 1


class Selection:
    """What a click is about; it remembers what iconik failed to list the times before.

    Args:
        check: called before each collection; may raise to stop.
        hint: what to keep of what a listing shows of an asset.
        side_by_side: as ``map``, and may do its calls at once. They make no further such calls.
    """

    def __init__(
        self,
        click: CustomAction,
        iconik: Iconik,
        check: Callable[[], None],
        hint: Callable[[Listed], Hint] = lambda listed: {},
        side_by_side: Callable[..., Iterable[Any]] = map,
    ) -> None:
        self._click = click
        self._iconik = iconik
        self._check = check
        self._hint = hint
        self._side_by_side = side_by_side
        # How often in a row.
        self._failures: Counter[Which] = Counter()

    def expand(self) -> tuple[dict[str, Hint], dict[str, Reason]]:
        """List its assets, each once; collections and pages side by side.

        Returns:
            What was kept, by asset id; and by the name of a collection, saved search or playlist,
            why it could not be opened or not be listed to its end, or what of it was left out.

        Raises:
            IconikUnavailable: iconik is away, or failed at something that is to be tried again.
            TokenRejected: iconik accepts no token any more.
        """
        click = self._click
        assets: dict[str, Hint] = {each: {} for each in click.asset_ids}
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
                for asset_id, kept in contents.assets.items():
                    assets.setdefault(asset_id, kept)
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
        # What is in it is the user's to see, and not the application's.
        own = self._iconik.limited(lambda: False)
        contents = _open(*which, own, pages, self._hint)
        if contents.unanswered:
            # Where iconik is away altogether, that isn't this one's fault.
            self._iconik.storage(self._click.ll_storage_id)
        return contents

    def _count(self, opened: Sequence[tuple[Which, _Contents]]) -> None:
        """Count what iconik failed to list, and give up what it failed at too often.

        Raises:
            IconikUnavailable: something is to be tried again.
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
                    error=contents.unanswered, times=times, done=_done(contents)
                )
        if again:
            raise again


def _open(
    kind: Kind,
    object_id: str,
    iconik: Iconik,
    pages: Map,
    hint: Callable[[Listed], Hint],
) -> _Contents:
    """What is directly in a collection or saved search, as far as iconik lists it."""
    contents = _Contents()
    lists: dict[Kind, Callable[[str, Map], Iterator[Listed]]] = {
        "collection": iconik.collection_contents,
        "saved search": iconik.saved_search_results,
        "playlist": iconik.playlist_items,
    }
    try:
        for found in lists[kind](object_id, pages):
            contents.add(found, hint)
    except NotFound:
        contents.problem = Reason(f"iconik knows the {kind} no more")
    except TokenRejected:
        raise
    except IconikUnavailable as error:
        contents.unanswered = error
    except IconikRefused as refusal:
        contents.problem = reason_of(refusal)
        if contents.listed:
            contents.problem += f", so {_done(contents)}"
    else:
        if contents.listed == SEARCH_WINDOW:
            contents.problem = Reason(
                f"iconik lists no more than {SEARCH_WINDOW:,} results of a search, so there may be "
                "more than these: make several smaller ones of it"
            )
    return contents


def _done(contents: _Contents) -> str:
    """What was done of something that was not listed to its end."""
    usable = len(contents.assets) + len(contents.collections)
    if not usable:
        return "nothing in it was done"
    return f"only {usable:,} of the assets and collections in it were listed, and done"


def _left_out(contents: _Contents) -> Reason:
    """What was listed, and is neither asset nor collection; empty for nothing."""
    count = contents.others.total()
    if not count:
        return NO_REASON
    types = [
        f"{times:,} {each[:LONGEST_TYPE] if each.isprintable() else 'of an odd type'}"
        for each, times in contents.others.most_common(MOST_TYPES)
    ]
    more = ", …" if len(contents.others) > MOST_TYPES else ""
    are = "is not an asset and was" if count == 1 else "are not assets and were"
    told = f"{', '.join(types)}{more}"
    return OTHERS_LEFT_OUT(count=count, listed=contents.listed, are=are, types=told)
