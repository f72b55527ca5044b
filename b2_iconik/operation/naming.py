"""The names of users, and of what they selected, as iconik shows them.

They are a courtesy: few requests are made, and a name that can't be read is left out.
"""

import threading
import time
from dataclasses import dataclass

from b2_iconik.domain.click import CustomAction
from iconik import Iconik
from iconik_http.errors import IconikError, IconikRefused, IconikUnavailable, TokenRejected
from iconik_http.records import Collection

MOST_PARENTS = 5
LONGEST_NAME = 200
# In seconds: how long it is remembered that iconik refuses a name or gave no usable answer, and how
# long the names of parents are.
REFUSED = 600.0
UNANSWERED = 60.0
REMEMBERED = 600.0
# Then all parents are forgotten.
MOST_REMEMBERED = 10_000


class UserNames:
    """The names of users. Each is requested once, whatever the number of operations.

    A user's name is not confidential to the service, so the application's token may read it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By user: the name, as ``find`` returns it, and when it must be requested again.
        self._known: dict[str, tuple[str | None, float]] = {}

    def find(self, user_id: str, iconik: Iconik, application: Iconik) -> str | None:
        """Return the name of a user.

        Args:
            iconik: with the token of a click of the user.
            application: with the application's token.

        Returns:
            "" if the name can't be read. None if it isn't known yet: iconik is unavailable, or
            another thread is requesting it.
        """
        with self._lock:
            name, until = self._known.get(user_id, (None, 0.0))
            if time.monotonic() < until:
                return name
            # Others don't wait for it.
            self._known[user_id] = (None, time.monotonic() + UNANSWERED)
        name = _user_name(user_id, iconik, application)
        if name is not None:
            until = float("inf") if name else time.monotonic() + REFUSED
            self._known[user_id] = (name[:LONGEST_NAME], until)
        return self._known[user_id][0]


def _user_name(user_id: str, iconik: Iconik, application: Iconik) -> str | None:
    try:
        return iconik.user_name(user_id)
    except (IconikUnavailable, TokenRejected):
        return None
    except IconikRefused:
        pass
    try:
        return application.user_name(user_id)
    except IconikUnavailable:
        return None
    except IconikError:
        return ""


class Paths:
    """The paths of collections. Their parents are remembered for a while, for each user."""

    def __init__(self) -> None:
        # By user and collection, also when it was read.
        self._parents: dict[tuple[str, str], tuple[Collection, float]] = {}

    def find(self, whose: str, iconik: Iconik, collection: Collection) -> str:
        """Return the titles of a collection and of its parents: 'Projects / Spring / Day 1'.

        Args:
            whose: the user who must be permitted to see the parents.
            iconik: with this user's token alone.

        Raises:
            IconikUnavailable, TokenRejected: iconik gave no usable answer.
        """
        titles, seen = [collection.title], {""}
        while len(titles) <= MOST_PARENTS and collection.parent_id not in seen:
            seen.add(collection.parent_id)
            collection = self._parent(whose, iconik, collection.parent_id)
            if not collection.title:
                break
            titles.insert(0, collection.title)
        return " / ".join(titles)

    def _parent(self, whose: str, iconik: Iconik, collection_id: str) -> Collection:
        """Return a collection; one without a title if iconik refuses it."""
        key = (whose, collection_id)
        collection, read = self._parents.get(key, (Collection(""), float("-inf")))
        if time.monotonic() - read < REMEMBERED:
            return collection
        try:
            collection = iconik.collection(collection_id)
        except IconikRefused:
            collection = Collection("")
        if len(self._parents) >= MOST_REMEMBERED:
            self._parents.clear()
        self._parents[key] = (collection, time.monotonic())
        return collection


@dataclass(frozen=True)
class Subject:
    """A selected object.

    Attributes:
        kind: 'collection', 'saved search', 'playlist' or 'asset'.
        name: its title or name; None if unknown.
        path: the path of a collection; None if unknown.
    """

    kind: str
    id: str
    name: str | None = None
    path: str | None = None


class Subjects:
    """The names of the objects that a click selected. Each is requested once.

    The application's token reads none: the user may not be permitted to see the object.
    """

    def __init__(self, click: CustomAction, iconik: Iconik, paths: Paths) -> None:
        # Without a token, the application's counts as the click's own, and may show more.
        self._whose = (click.user_id or click.auth_token) if click.auth_token else ""
        self._iconik = iconik.limited(lambda: False)
        self._paths = paths
        self._known: dict[str, Subject] = {}

    def find(self, kind: str, object_id: str, title: str = "") -> Subject:
        """Return an object with its name, as far as iconik shows it to the user.

        Args:
            title: its title, if a listing has shown that.

        Raises:
            IconikUnavailable, TokenRejected: iconik gave no usable answer.
        """
        if object_id not in self._known:
            try:
                found = Subject(kind, object_id, title) if title else self._read(kind, object_id)
            except IconikRefused:
                found = Subject(kind, object_id)
            self._known[object_id] = found
        return self._known[object_id]

    def _read(self, kind: str, object_id: str) -> Subject:
        if kind == "collection":
            collection = self._iconik.collection(object_id)
            path = self._paths.find(self._whose, self._iconik, collection)
            return Subject(kind, object_id, collection.title or None, path or None)
        read = {
            "saved search": self._iconik.saved_search_name,
            "playlist": self._iconik.playlist_title,
            "asset": self._iconik.asset_title,
        }
        return Subject(kind, object_id, read[kind](object_id) or None)
