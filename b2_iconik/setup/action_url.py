"""Build the URLs of our custom actions, and recognize ours among iconik's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from b2_iconik.common.settings import LOOPBACK
from b2_iconik.domain.click import CLICKED_ACTIONS, Action
from b2_iconik.domain.keeping import as_text, parse_keep
from b2_iconik.setup.menu_entry import Entry

DEFAULT_PORTS = {"http": 80, "https": 443}
# Characters that a URL must encode although urlsplit accepts them, and ? and #, which end the path.
NOT_IN_ENDPOINT = frozenset(' "<>\\^`{|}?#')


@dataclass(frozen=True)
class Endpoint:
    """The address at which iconik reaches the service.

    Attributes:
        text: the address as given, without a trailing slash.
        scheme, host, port: in lower case. The port is the scheme's default if the address has none.
        path: the path before /add, for example; empty, or starting with a slash.
    """

    text: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def address(self) -> str:
        """The host, with the port if the address has one."""
        return urlsplit(self.text).netloc

    @property
    def is_safe(self) -> bool:
        """Whether the transfer is protected from eavesdropping."""
        return self.scheme == "https" or self.host in LOOPBACK


@dataclass(frozen=True)
class Target:
    """The request that a custom action's URL makes; equal for URLs that request the same.

    The destination directory is not compared: it can be changed in place, without a new action.

    Attributes:
        action: one of ``CLICKED_ACTIONS``.
        b2_storage_id, ll_storage_id: the two storages; empty if the URL does not name them.
        formats: names of the formats; empty for those in the service's settings.
        path: the directory on the LucidLink storage that Add copies into; empty for its root.
        keep, keep_field: how long Add keeps the assets; see ``Entry``. Equal times are equal texts.
    """

    action: Action
    b2_storage_id: str
    ll_storage_id: str
    formats: frozenset[str]
    path: str = field(default="", compare=False)
    keep: str = ""
    keep_field: str = ""

    @property
    def entry(self) -> Entry:
        """The menu entry that makes this request."""
        return Entry(self.action, self.keep, self.keep_field)


@dataclass(frozen=True)
class Existing:
    """One of our custom actions, as stored in iconik.

    Attributes:
        status: HEALTHY, or FAILING after a failed click; "" if unknown.
        last_error: iconik's error message for that click.
        headers: the headers sent with a click, by name in lower case. One of them is the secret.
        app_id: the application that owns the tokens of clicks.
        metadata_view: the id of the metadata view shown to the user who clicks; "" for none.
    """

    id: str
    context: str
    title: str
    url: str
    target: Target
    status: str = ""
    last_error: str = ""
    is_disabled: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    app_id: str = ""
    metadata_view: str = ""


def endpoint(text: str) -> Endpoint:
    """Parse the address of the service.

    Raises:
        ValueError: it is not a plain http or https address. The message does not repeat it.
    """
    problem = "must be an address like https://plugin.example.com, without a query or password"
    # urlsplit silently drops line breaks and tabs.
    if not (text.isascii() and text.isprintable()) or NOT_IN_ENDPOINT & set(text):
        raise ValueError(problem)
    found = _place(text)
    if found is None:
        raise ValueError(problem)
    scheme, host, port, path = found
    return Endpoint(text.rstrip("/"), scheme, host, port, path.rstrip("/"))


def build(
    where: Endpoint,
    entry: Entry,
    b2_storage_id: str,
    ll_storage_id: str,
    formats: Sequence[str] = (),
    path: str = "",
) -> str:
    """Return the URL of a custom action.

    Args:
        formats: names of the formats; empty for those in the service's settings.
        path: the directory that Add copies into; empty for the storage's root.
    """
    query = urlencode({"b2_storage_id": b2_storage_id, "ll_storage_id": ll_storage_id})
    if formats:
        query += "&formats=" + ",".join(quote(each, safe="") for each in formats)
    if path:
        query += "&path=" + quote(path)
    for name, value in (("keep", entry.keep), ("keep_field", entry.keep_field)):
        if value:
            query += f"&{name}={quote(value, safe='')}"
    return f"{where.text}/{entry.action}?{query}"


def read(where: Endpoint, url: object) -> Target | None:
    """Parse the URL of a custom action.

    Args:
        url: the URL of any custom action, as stored in iconik.

    Returns:
        What the URL requests; None if it does not point to an action of exactly this service.
    """
    if not isinstance(url, str):
        return None
    found = _place(url)
    for action in CLICKED_ACTIONS:
        if found == (where.scheme, where.host, where.port, f"{where.path}/{action}"):
            query = parse_qs(urlsplit(url).query)
            return Target(
                action=action,
                b2_storage_id=_only(query.get("b2_storage_id", [])),
                ll_storage_id=_only(query.get("ll_storage_id", [])),
                formats=_names(query.get("formats", [])),
                path=query.get("path", [""])[0],
                keep=_time(query.get("keep", [])),
                keep_field=",".join(query.get("keep_field", [])),
            )
    return None


def ours(where: Endpoint, actions: Iterable[Mapping[str, Any]]) -> list[Existing]:
    """Return the custom actions that point to exactly this service; no others are ours.

    Args:
        actions: CustomActionSchema objects of iconik's.
    """
    found = []
    for each in actions:
        target = read(where, each.get("url")) if each.get("type") == "POST" else None
        id_, context = each.get("id"), each.get("context")
        if target and isinstance(id_, str) and isinstance(context, str):
            headers = each.get("headers")
            found.append(
                Existing(
                    id=id_,
                    context=context,
                    title=str(each.get("title")),
                    url=str(each.get("url")),
                    target=target,
                    status=str(each.get("status") or ""),
                    last_error=str(each.get("last_error") or ""),
                    is_disabled=each.get("disabled") is True,
                    headers=_headers(headers) if isinstance(headers, dict) else {},
                    app_id=str(each.get("app_id") or ""),
                    metadata_view=str(each.get("metadata_view") or ""),
                )
            )
    return found


def _headers(given: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in given.items()}


def _place(url: str) -> tuple[str, str, int, str] | None:
    """Return scheme, host, effective port and path of a web address; None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    effective = DEFAULT_PORTS[parts.scheme] if port is None else port
    return parts.scheme, parts.hostname, effective, parts.path


def _only(values: Sequence[str]) -> str:
    return values[0].lower() if len(values) == 1 else ""


def _time(values: Sequence[str]) -> str:
    text = ",".join(values)
    try:
        return as_text(parse_keep(text))
    except ValueError:
        # Not the same as no limit: the service refuses such a click.
        return text


def _names(values: Iterable[str]) -> frozenset[str]:
    names = (name.strip() for value in values for name in value.split(","))
    return frozenset(name for name in names if name)
