"""The body and query of a custom action that iconik posts, validated into one value."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, get_args

from b2_iconik.common.errors import ClickError, SettingsError
from b2_iconik.common.settings import split_formats
from b2_iconik.common.texts import plain
from b2_iconik.domain.keeping import in_words, parse_days, parse_keep
from iconik_http.records import UUID

Action = Literal["add", "remove", "preview", "undo"]
ACTIONS: tuple[Action, ...] = get_args(Action)
TITLES: dict[Action, str] = {
    "add": "Add to LucidLink",
    "remove": "Remove from LucidLink",
    # It performs every inspection of a Remove, and changes nothing.
    "preview": "Preview removal from LucidLink",
    # It restores what a Remove has marked deleted.
    "undo": "Undo removal from LucidLink",
}
# The actions that are always created in iconik. A preview is optional.
USUAL_ACTIONS: tuple[Action, ...] = ("add", "remove")
# The custom actions that iconik posts. An undo is requested here, not in iconik.
CLICKED_ACTIONS: tuple[Action, ...] = ("add", "remove", "preview")
# The actions that change what is on LucidLink.
CHANGING_ACTIONS: tuple[Action, ...] = ("add", "remove", "undo")
SECRET_HEADER = "x-bz-secret"  # noqa: S105 - a header's name
CONTEXTS = ("ASSET", "COLLECTION", "BULK", "SAVED_SEARCH", "PLAYLIST")
# The contexts enabled by default. Saved searches and playlists are optional.
USUAL_CONTEXTS = CONTEXTS[:3]
LONGEST_TOKEN = 8192
# File systems limit names to 255 bytes. A path must leave room for the directories and file below.
LONGEST_NAME = 255
LONGEST_PATH = 500
# Of a metadata value in a message, in characters.
LONGEST_SHOWN = 40
# Characters that Windows forbids in names. A filespace may also be mounted on Windows.
NOT_IN_NAMES = frozenset('<>:"|?*\\')


class Query(Protocol):
    """The query of a URL, as Werkzeug provides it: a name may be repeated."""

    def getlist(self, key: str, /) -> list[str]:
        """Return every value given for a name, in order."""
        ...


@dataclass(frozen=True)
class CustomAction:
    """One click on one of our custom actions.

    Attributes:
        action: one of ``ACTIONS``.
        b2_storage_id, ll_storage_id: the Backblaze B2 storage and the LucidLink storage.
        formats: names of the requested formats; from the settings if the URL names none.
        context: where in iconik the user clicked, one of ``CONTEXTS``.
        asset_ids, collection_ids, saved_search_ids, playlist_ids: the selection; at least one of
            them is not empty.
        user_id: the user who clicked, if iconik sent the id.
        path: the directory on the LucidLink storage that Add copies into; empty for the root.
        auth_token: a token that acts as the user who clicked; empty if iconik sent none.
        keep_ms: how long Add keeps the assets on LucidLink, in milliseconds; None for no limit.
        keep_problem: why the metadata field that should tell this can't be used, as a sentence.
            Then nothing is added: the operation fails with it. "" if there is no problem.
    """

    action: Action
    b2_storage_id: str
    ll_storage_id: str
    formats: tuple[str, ...]
    context: str
    asset_ids: tuple[str, ...] = ()
    collection_ids: tuple[str, ...] = ()
    saved_search_ids: tuple[str, ...] = ()
    user_id: str | None = None
    auth_token: str = field(default="", repr=False)
    path: str = ""
    playlist_ids: tuple[str, ...] = ()
    keep_ms: int | None = None
    keep_problem: str = ""

    @property
    def title(self) -> str:
        """The name of the menu entry."""
        return title_of(self.action, self.keep_ms)

    @property
    def selection(self) -> str:
        """The selection as text: '3 assets, 1 collection'."""
        counts = (
            (len(self.asset_ids), "asset", "assets"),
            (len(self.collection_ids), "collection", "collections"),
            (len(self.saved_search_ids), "saved search", "saved searches"),
            (len(self.playlist_ids), "playlist", "playlists"),
        )
        return ", ".join(
            f"{count} {one if count == 1 else many}" for count, one, many in counts if count
        )

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """The kind and the id of each selected object."""
        kinds = {
            "collection": self.collection_ids,
            "saved search": self.saved_search_ids,
            "playlist": self.playlist_ids,
            "asset": self.asset_ids,
        }
        return [(kind, each) for kind, ids in kinds.items() for each in ids]

    @property
    def tells_assets(self) -> bool:
        """Whether the click itself names all its assets, so that nothing must be listed."""
        return not (self.collection_ids or self.saved_search_ids or self.playlist_ids)

    @property
    def digest(self) -> str:
        """A hash that is equal for identical clicks of the same user with the same token.

        Anyone who guesses the token can verify the guess with this hash. Store only an HMAC of it.
        """
        same = {
            name: sorted(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
            # The same assets may be selected in different places.
            if name != "context"
        }
        return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()


def of_assets(
    click: CustomAction, found: Iterable[tuple[str, Sequence[str]]]
) -> list[CustomAction]:
    """Return clicks on exactly some assets and formats: one for each set of formats.

    The formats may differ between assets, and a click has the same formats for all of its assets.

    Args:
        click: what they have in common.
        found: ids of assets, each with the names of its formats, at least one.
    """
    by_formats = defaultdict[tuple[str, ...], list[str]](list)
    for asset_id, formats in found:
        by_formats[tuple(formats)].append(asset_id)
    return [
        replace(
            click,
            formats=formats,
            context="BULK",
            asset_ids=tuple(asset_ids),
            collection_ids=(),
            saved_search_ids=(),
            playlist_ids=(),
        )
        for formats, asset_ids in by_formats.items()
    ]


def title_of(action: Action, keep_ms: int | None = None) -> str:
    """Return the name of a menu entry: 'Add to LucidLink for 14 days'."""
    return TITLES[action] + ("" if keep_ms is None else f" for {in_words(keep_ms)}")


def parse(action: Action, query: Query, body: bytes, formats: Sequence[str]) -> CustomAction:
    """Validate a posted custom action.

    Args:
        query: the URL's query: b2_storage_id, ll_storage_id, and optionally formats, path, and
            keep or keep_field.
        body: the JSON body that iconik posted; see iconik's documentation of custom actions.
        formats: names of the formats to use if the query has none.

    Raises:
        ClickError: a value is missing or malformed; the error names the field.
    """
    b2_storage_id = _storage_id(query, "b2_storage_id")
    ll_storage_id = _storage_id(query, "ll_storage_id")
    if b2_storage_id == ll_storage_id:
        raise ClickError("ll_storage_id", "must differ from b2_storage_id")
    wanted = _formats(query, formats)
    posted = _object(body)
    keep_ms, keep_problem = _keep(action, query, posted)
    context = posted.get("context")
    if context not in CONTEXTS:
        raise ClickError("context", f"must be one of {', '.join(CONTEXTS)}")
    click = CustomAction(
        action=action,
        b2_storage_id=b2_storage_id,
        ll_storage_id=ll_storage_id,
        formats=wanted,
        context=context,
        asset_ids=_ids(posted, "asset_ids"),
        collection_ids=_ids(posted, "collection_ids"),
        saved_search_ids=_ids(posted, "saved_search_ids"),
        playlist_ids=_ids(posted, "playlist_ids"),
        user_id=_optional_id(posted, "user_id"),
        auth_token=_auth_token(posted),
        path=_path(query),
        keep_ms=keep_ms,
        keep_problem=keep_problem,
    )
    if not click.selection:
        raise ClickError(
            "asset_ids",
            "nothing is selected: collection_ids, saved_search_ids and playlist_ids are also empty",
        )
    return click


def check_path(text: str) -> str:
    """Validate a directory of a storage, given relative to the storage's root.

    Returns:
        The directory, without a trailing slash.

    Raises:
        ClickError: the path leaves the storage's root, or has a name that some systems forbid.
    """
    if len(text.encode(errors="replace")) > LONGEST_PATH:
        raise ClickError("path", f"must have at most {LONGEST_PATH} bytes")
    if text.startswith("/"):
        raise ClickError(
            "path", "must not begin with a slash: it is relative to the storage's root"
        )
    if not text.isprintable() or NOT_IN_NAMES & set(text):
        raise ClickError("path", f"must be printable, without {' '.join(sorted(NOT_IN_NAMES))}")
    names = text.removesuffix("/").split("/")
    if not all(names):
        raise ClickError("path", "must name a directory, like projects/2026")
    if any(name != name.strip() or name.endswith(".") for name in names):
        raise ClickError(
            "path", "must not have a name like '..', or one that ends with a space or a dot"
        )
    if any(len(name.encode()) > LONGEST_NAME for name in names):
        raise ClickError("path", f"must have names of at most {LONGEST_NAME} bytes")
    return "/".join(names)


def _path(query: Query) -> str:
    path = _at_most_once(query, "path")
    return "" if path is None else check_path(path)


def _keep(action: Action, query: Query, posted: dict[str, Any]) -> tuple[int | None, str]:
    """Return how long to keep the assets, and the problem with the field that should tell it."""
    keep, name = _at_most_once(query, "keep"), _at_most_once(query, "keep_field")
    for parameter, given in (("keep", keep), ("keep_field", name)):
        if given is not None and action != "add":
            raise ClickError(parameter, "is only for /add")
    if keep is not None and name is not None:
        raise ClickError("keep", "must not be in the action's URL together with keep_field")
    if keep is not None:
        try:
            return parse_keep(keep), ""
        except ValueError as error:
            raise ClickError("keep", str(error)) from None
    if name is None:
        return None, ""
    if not name or not name.isprintable():
        raise ClickError("keep_field", "must be the name of a metadata field")
    value = _field(posted.get("metadata_values"), name)
    try:
        return parse_days(value), ""
    except ValueError as error:
        told = f"holds '{str(value)[:LONGEST_SHOWN]}'" if value != "" else "is empty"
        problem = f"the metadata field '{name}' {told}: it {error}; nothing was added"
        return None, plain(problem)


def _field(posted: object, name: str) -> Any:
    """Return the value of a metadata field; "" if there is none, and all of several values.

    iconik's description of the callback only says that the values are an object.
    """
    value = posted.get(name) if isinstance(posted, dict) else None
    if isinstance(value, dict):
        value = value.get("field_values", value.get("value"))
    if isinstance(value, list):
        values = [each.get("value") if isinstance(each, dict) else each for each in value]
        value = values[0] if len(values) == 1 else ", ".join(map(str, values))
    return "" if value is None else value


def _storage_id(query: Query, name: str) -> str:
    storage_id = _at_most_once(query, name)
    if storage_id is None:
        raise ClickError(name, "is missing from the action's URL")
    if not UUID.fullmatch(storage_id):
        raise ClickError(name, "must be the UUID of a storage")
    return storage_id.lower()


def _formats(query: Query, default: Sequence[str]) -> tuple[str, ...]:
    formats = _at_most_once(query, "formats")
    if formats is None:
        return tuple(default)
    try:
        return split_formats("formats", formats)
    except SettingsError as error:
        raise ClickError("formats", error.problem) from None


def _at_most_once(query: Query, name: str) -> str | None:
    """Return a parameter's value, or None. A repeated parameter is ambiguous and an error."""
    values = query.getlist(name)
    if len(values) > 1:
        raise ClickError(name, "must not be in the action's URL more than once")
    return values[0] if values else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        posted = json.loads(body)
    except (ValueError, RecursionError):
        raise ClickError("body", "must be JSON") from None
    if not isinstance(posted, dict):
        raise ClickError("body", "must be a JSON object")
    return posted


def _is_id(value: object) -> bool:
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def _ids(posted: dict[str, Any], name: str) -> tuple[str, ...]:
    ids = posted.get(name)
    if ids is None:
        return ()
    if not isinstance(ids, list) or not all(_is_id(value) for value in ids):
        raise ClickError(name, "must be a list of UUIDs")
    return tuple(dict.fromkeys(value.lower() for value in ids))


def _optional_id(posted: dict[str, Any], name: str) -> str | None:
    value = posted.get(name)
    if value is not None and not _is_id(value):
        raise ClickError(name, "must be a UUID")
    return None if value is None else str(value).lower()


def _auth_token(posted: dict[str, Any]) -> str:
    token = posted.get("auth_token")
    if token is None:
        return ""
    if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
        raise ClickError("auth_token", "must be printable ASCII text")
    if len(token) > LONGEST_TOKEN or token != token.strip():
        raise ClickError("auth_token", "is not an iconik token")
    return token
