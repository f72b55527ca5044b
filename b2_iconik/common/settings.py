"""The settings from the environment and `.env`, validated once, as one frozen value."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from dotenv import dotenv_values
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from b2_iconik.common import receivers
from b2_iconik.common.errors import SettingsError
from iconik_http.records import UUID

DEFAULT_FORMATS = "ORIGINAL,PPRO_PROXY"
DEFAULT_ICONIK_URL = "https://app.iconik.io"
SQLITE_DRIVERS = ("sqlite", "sqlite+pysqlite")
DATABASE_NAME = "b2-iconik-plugin.sqlite"
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS = ("text", "json")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
THIS_MACHINE = "127.0.0.0/8,::1"
LOCAL = tuple(ip_network(each) for each in THIS_MACHINE.split(","))
DEFAULT_B2_API_URL = "https://api.backblazeb2.com"
B2_CHECKS = ("auto", "required", "off")
LEAST_SECRET = 16
SHORT_SECRET = 32
MOST_REQUESTS_PER_SECOND = 1000
LEAST_PASSWORD = 12
NOTIFY_ON = ("problems", "all")
PURGE = ("now", "later")
PUBLIC_PATH = re.compile(r"[A-Za-z0-9._~/-]*")


@dataclass(frozen=True)
class Settings:
    """The settings of the service and the scripts.

    Attributes:
        iconik_id: id of the application that owns the tokens, sent in the header App-ID.
        secret: the shared secret that iconik sends in the header x-bz-secret.
        previous_secret: an older secret, accepted while it is being replaced.
        iconik_token: an application token, for the scripts and as a fallback for clicks.
        iconik_url: scheme and host of iconik, without a path.
        formats: names of the formats to process if the action's URL names none.
        database_url: SQLAlchemy URL of the database that holds the operations.
        log_level: a level name of ``logging``.
        log_format: the format of log lines, 'text' or 'json'.
        copy_timeout: how long a copy may take before it is given up and reported.
        settle_time: how long a file may stay unfinished after its copy job has ended.
        requests_per_second: the maximum rate of requests to iconik.
        metrics_from: the networks that may read the metrics.
        b2_check: when B2 itself must confirm a file before it is deleted: 'auto', 'required' or
            'off'.
        b2_key_id, b2_key: an application key of B2; None to use iconik's signed URLs.
        b2_api_url: scheme and host of B2's native API, without a path.
        require_checksum: whether a proof needs equal checksums in addition to equal sizes.
        page_password: opens the pages of operations without their buttons; None if nothing does.
        public_url: where people reach the service; None if it makes no links to itself.
        notify_urls: the apprise URLs of those who are notified when operations end.
        notify_on: the operations to notify them of: 'problems' or 'all'.
        purge: when a Remove frees the space: 'now', or 'later', once iconik empties its delete
            queue. Until then, the removal can be undone.
    """

    iconik_id: str
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    iconik_token: str | None = field(default=None, repr=False)
    iconik_url: str = DEFAULT_ICONIK_URL
    formats: tuple[str, ...] = ("ORIGINAL", "PPRO_PROXY")
    database_url: str = field(default=f"sqlite:///{DATABASE_NAME}", repr=False)
    log_level: str = "INFO"
    copy_timeout: timedelta = timedelta(days=7)
    settle_time: timedelta = timedelta(minutes=10)
    requests_per_second: int = 48
    log_format: str = "text"
    metrics_from: tuple[IPv4Network | IPv6Network, ...] = LOCAL
    b2_check: str = "auto"
    b2_key_id: str | None = field(default=None, repr=False)
    b2_key: str | None = field(default=None, repr=False)
    b2_api_url: str = DEFAULT_B2_API_URL
    require_checksum: bool = False
    page_password: str | None = field(default=None, repr=False)
    public_url: str | None = None
    notify_urls: tuple[str, ...] = field(default=(), repr=False)
    notify_on: str = "problems"
    purge: str = "now"

    @property
    def secrets(self) -> tuple[str, ...]:
        """All accepted secrets, the current one first."""
        return (self.secret, self.previous_secret) if self.previous_secret else (self.secret,)


def load(environment: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Read the settings.

    Args:
        environment: variables by name; ``os.environ`` if not given.
        env_file: a file of further variables; `.env` in the working directory if not given.

    Raises:
        SettingsError: a variable is missing or malformed; the message names it.
    """
    given = _variables(os.environ if environment is None else environment, env_file or Path(".env"))
    iconik_id = _required(given, "ICONIK_ID", "the id of your application in iconik")
    if not UUID.fullmatch(iconik_id):
        raise SettingsError("ICONIK_ID", "must be a UUID, the id of your application in iconik")
    b2_key_id, b2_key = _b2_key(given)
    secret, previous = _secret(given), _optional_header_value(given, "BZ_SHARED_SECRET_PREVIOUS")
    return Settings(
        iconik_id=iconik_id,
        secret=secret,
        previous_secret=previous,
        iconik_token=_optional_header_value(given, "ICONIK_TOKEN"),
        iconik_url=_host_url(given, "ICONIK_URL", DEFAULT_ICONIK_URL, ("", "/API")),
        formats=split_formats("FORMAT_NAMES", given.get("FORMAT_NAMES", DEFAULT_FORMATS)),
        database_url=_database_url(given),
        log_level=_choice("LOG_LEVEL", given.get("LOG_LEVEL", "INFO").upper(), LOG_LEVELS),
        log_format=_choice("LOG_FORMAT", given.get("LOG_FORMAT", "text").lower(), LOG_FORMATS),
        copy_timeout=_duration("COPY_TIMEOUT", given.get("COPY_TIMEOUT", "7d")),
        settle_time=_duration("COPY_SETTLE_TIME", given.get("COPY_SETTLE_TIME", "10m")),
        requests_per_second=_rate(given.get("ICONIK_REQUESTS_PER_SECOND", "48")),
        metrics_from=_networks(given.get("METRICS_FROM", THIS_MACHINE)),
        b2_check=_choice("B2_CHECK", given.get("B2_CHECK", "auto").lower(), B2_CHECKS),
        b2_key_id=b2_key_id,
        b2_key=b2_key,
        b2_api_url=_host_url(given, "B2_API_URL", DEFAULT_B2_API_URL),
        require_checksum=_flag("REQUIRE_CHECKSUM", given.get("REQUIRE_CHECKSUM", "false")),
        page_password=_page_password(given, (secret, previous)),
        public_url=_public_url(given),
        notify_urls=_notify_urls(given),
        notify_on=_choice("NOTIFY_ON", given.get("NOTIFY_ON", "problems").lower(), NOTIFY_ON),
        purge=_choice("PURGE", given.get("PURGE", "now").lower(), PURGE),
    )


def split_formats(name: str, text: str) -> tuple[str, ...]:
    """Split a comma-separated text into distinct format names, in order.

    Args:
        name: the setting or parameter that holds the text, for the error message.
        text: the comma-separated names.

    Raises:
        SettingsError: the text has no name, or an unprintable character.
    """
    formats = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not formats:
        raise SettingsError(name, f"must name at least one format, like {DEFAULT_FORMATS}")
    if not all(part.isprintable() for part in formats):
        raise SettingsError(name, "has an unprintable character in a format name")
    return formats


def _variables(environment: Mapping[str, str], env_file: Path) -> dict[str, str]:
    try:
        from_file = dotenv_values(env_file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        # The file usually belongs to the service's user, and others may not read it.
        do = ": run this as its owner, or as root" if isinstance(error, PermissionError) else ""
        raise SettingsError(str(env_file), f"cannot be read: {type(error).__name__}{do}") from None
    both = {**{name: value or "" for name, value in from_file.items()}, **environment}
    return {name: value.strip() for name, value in both.items() if value.strip()}


def _required(given: Mapping[str, str], name: str, meaning: str) -> str:
    if name not in given:
        raise SettingsError(name, f"is not set: it must be {meaning} (see .env.example)")
    return given[name]


def _secret(given: Mapping[str, str]) -> str:
    name = "BZ_SHARED_SECRET"
    meaning = "a long random string that only this service and iconik know"
    secret = _header_value(name, _required(given, name, meaning))
    if len(secret) < LEAST_SECRET:
        raise SettingsError(
            name,
            f"must have at least {LEAST_SECRET} characters: create one with 'openssl rand -hex 32'",
        )
    return secret


def _header_value(name: str, value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise SettingsError(name, "must be printable ASCII: it is sent in an HTTP header")
    return value


def _optional_header_value(given: Mapping[str, str], name: str) -> str | None:
    return _header_value(name, given[name]) if name in given else None


def _host_url(
    given: Mapping[str, str], name: str, default: str, paths: tuple[str, ...] = ("",)
) -> str:
    """Return scheme and host of a URL whose path is one of those given."""
    text = given.get(name, default)
    url = _url(name, text, default)
    if url.path.rstrip("/") not in paths or set("?#") & set(text):
        raise SettingsError(name, f"must be an address without a path, like {default}")
    return f"{url.scheme}://{url.netloc}"


def _public_url(given: Mapping[str, str]) -> str | None:
    name, example = "PUBLIC_URL", "https://plugin.example.com"
    if name not in given:
        return None
    url = _url(name, given[name], example)
    if not PUBLIC_PATH.fullmatch(url.path) or set("?#") & set(given[name]):
        raise SettingsError(name, f"must be an address without ? and #, like {example}")
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"


def _url(name: str, text: str, example: str) -> SplitResult:
    """Split a URL of HTTPS, or of HTTP on this machine."""
    try:
        url = urlsplit(text)
        host = url.hostname
        _ = url.port
    except ValueError:
        raise SettingsError(name, f"must be an address like {example}") from None
    # urlsplit accepts these: it drops line breaks, and treats the others as part of the host.
    odd = not (text.isascii() and text.isprintable()) or set(" @\\") & set(text)
    if host is None or odd or url.scheme not in ("http", "https"):
        raise SettingsError(name, f"must be an address like {example}")
    if url.scheme == "http" and host not in LOOPBACK:
        raise SettingsError(
            name, "must begin with https:// (http:// is only allowed for this machine)"
        )
    return url


def _page_password(given: Mapping[str, str], secrets: tuple[str | None, ...]) -> str | None:
    name = "PAGE_PASSWORD"
    password = given.get(name)
    if password is None:
        return None
    if len(password) < LEAST_PASSWORD or not password.isprintable():
        raise SettingsError(name, f"must have at least {LEAST_PASSWORD} printable characters")
    if password in secrets:
        raise SettingsError(
            name, "must differ from the shared secret, which also stops and retries operations"
        )
    return password


def _notify_urls(given: Mapping[str, str]) -> tuple[str, ...]:
    urls = receivers.split(given.get("NOTIFY_URLS", ""))
    # Raises an error if one can't be used.
    receivers.open_all(urls)
    return urls


def _b2_key(given: Mapping[str, str]) -> tuple[str | None, str | None]:
    names = ("B2_APPLICATION_KEY_ID", "B2_APPLICATION_KEY")
    key_id, key = (_optional_header_value(given, name) for name in names)
    if (key_id is None) != (key is None):
        here, missing = names if key is None else reversed(names)
        raise SettingsError(here, f"is set, but {missing} is not: set both or neither")
    return key_id, key


def _choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise SettingsError(name, f"must be one of {', '.join(choices)}")
    return text


def _flag(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise SettingsError(name, "must be true or false")
    return text.lower() == "true"


def _database_url(given: Mapping[str, str]) -> str:
    # systemd may pass several state directories, joined by colons.
    directory = given.get("STATE_DIRECTORY", ".").split(":")[0]
    text = given.get("DATABASE_URL", f"sqlite:///{Path(directory) / DATABASE_NAME}")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError("DATABASE_URL", "is not a database URL") from None
    if url.get_backend_name() == "postgresql":
        # Every PostgreSQL URL uses the installed driver.
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    is_file = url.host is None and url.database not in (None, "", ":memory:")
    if url.drivername not in SQLITE_DRIVERS or not is_file:
        raise SettingsError(
            "DATABASE_URL", "must begin with postgresql:// or sqlite:/// and a path"
        )
    return text


def _duration(name: str, text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not match or int(match[1]) == 0:
        raise SettingsError(name, "must be a duration like 90s, 30m, 12h or 7d")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
    return timedelta(**{unit: int(match[1])})


def _rate(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_REQUESTS_PER_SECOND:
        raise SettingsError("ICONIK_REQUESTS_PER_SECOND", "must be a whole number from 1 to 1000")
    return int(text)


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    if text.lower() == "none":
        return ()
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        problem = f"must be addresses or networks like {THIS_MACHINE},10.0.0.7, or none"
        raise SettingsError("METRICS_FROM", problem) from None
