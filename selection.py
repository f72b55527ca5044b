"""Which assets a click is about: its collections and saved searches, opened to any depth."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import logs
from custom_action import CustomAction
from errors import IconikRefused, IconikUnavailable, NotFound, TokenRejected
from iconik import Iconik
from records import Listed

OPENED_AT_ONCE = 8
PAGES_AT_ONCE = 16
# So often iconik may fail to list one collection, while it answers otherwise: with the waits in
# between some ten minutes, about as long as it is asked about one asset.
MOST_FAILURES = 25

Kind = Literal["collection", "saved search"]
Which = tuple[Kind, str]
# What is kept of what a listing shows of an asset.
Hint = Mapping[str, str]


@dataclass
class _Contents:
    assets: dict[str, Hint] = field(default_factory=dict)
    collections: list[str] = field(default_factory=list)
    problem: str = ""
    unanswered: IconikUnavailable | None = None


class Selection:
    """What a click is about; it remembers what iconik failed to list the times before.

    Args:
        check: called before each collection; may raise to stop.
        hint: what to keep of what a listing shows of an asset.
    """

    def __init__(
        self,
        click: CustomAction,
        iconik: Iconik,
        check: Callable[[], None],
        hint: Callable[[Listed], Hint] = lambda listed: {},
    ) -> None:
        self._click = click
        self._iconik = iconik
        self._check = check
        self._hint = hint
        # By collection or saved search, how often in a row.
        self._failures: Counter[Which] = Counter()

    def expand(self) -> tuple[dict[str, Hint], dict[str, str]]:
        """List its assets, each once; collections and pages side by side.

        Returns:
            What was kept, by asset id; and why a collection or saved search could not be opened, or
            not be listed to its end, by its name.

        Raises:
            IconikUnavailable: iconik is away, or failed at something that is to be tried again.
            TokenRejected: iconik accepts no token any more.
        """
        click = self._click
        assets: dict[str, Hint] = {each: {} for each in click.asset_ids}
        gone: dict[str, str] = {}
        to_open: list[Which] = [("saved search", each) for each in click.saved_search_ids]
        to_open += [("collection", each) for each in dict.fromkeys(click.collection_ids)]
        seen = set(click.collection_ids)
        with logs.pool(OPENED_AT_ONCE) as openers, logs.pool(PAGES_AT_ONCE) as pages:
            while to_open:
                contents_of = openers.map(lambda which: self._open(which, pages), to_open)
                opened = list(zip(to_open, contents_of, strict=True))
                self._count(opened)
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

    def _open(self, which: Which, pages: ThreadPoolExecutor) -> _Contents:
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
            if self._failures[which] < MOST_FAILURES:
                again = again or contents.unanswered
            else:
                contents.problem = _given_up(contents)
        if again:
            raise again


def _open(
    kind: Kind,
    object_id: str,
    iconik: Iconik,
    pages: ThreadPoolExecutor,
    hint: Callable[[Listed], Hint],
) -> _Contents:
    """What is directly in a collection or saved search, as far as iconik lists it."""
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
    except IconikUnavailable as error:
        contents.unanswered = error
    except IconikRefused as refusal:
        contents.problem = str(refusal)
    return contents


def _given_up(contents: _Contents) -> str:
    """Why something was not listed to its end, what was done all the same, and what helps."""
    listed = len(contents.assets) + len(contents.collections)
    done = "nothing in it was done"
    if listed:
        done = f"only {listed:,} of the assets and collections in it were listed, and done"
    return (
        f"{contents.unanswered}, {MOST_FAILURES} times over, so {done}: click again when iconik "
        "lists it"
    )
