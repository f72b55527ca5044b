"""The common parts of the setup scripts: options, access to iconik, and exit codes."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from b2_iconik.common import output
from b2_iconik.common import settings as environment
from b2_iconik.common.errors import PluginError, SettingsError
from b2_iconik.common.settings import Settings, split_formats
from b2_iconik.common.texts import plain
from b2_iconik.common.version import VERSION
from b2_iconik.setup.action_url import Endpoint, endpoint
from iconik import Iconik, Pacer, Tokens, Transport
from iconik_http.errors import IconikError, TokenRejected

FAILED = 1
MISUSED = 2
# A shorter value could also occur in our own messages.
SHORTEST_CONCEALED = 8

Work = Callable[[argparse.Namespace, Settings, Iconik], None]


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that reports errors in one line, without the usage.

    Args:
        program: the script's name, which starts that line.
        description: what the script does.
    """

    def __init__(self, program: str, description: str | None) -> None:
        # With abbreviations, adding an option could change the meaning of `--format`.
        super().__init__(prog=program, description=description, allow_abbrev=False)
        self.add_argument("--version", action="version", version=VERSION)

    def error(self, message: str) -> NoReturn:
        """Exit with status 2."""
        self.exit(MISUSED, f"{self.prog}: {message} (see --help)\n")


def add_endpoint(parser: argparse.ArgumentParser, *, is_required: bool = True) -> None:
    """Add ``--endpoint``, the address of the service."""
    parser.add_argument(
        "--endpoint",
        required=is_required,
        type=_endpoint,
        metavar="URL",
        help="where iconik reaches the plugin, like https://plugin.example.com",
    )


def add_insecure(parser: argparse.ArgumentParser) -> None:
    """Add ``--insecure``, for scripts that send the secret; see ``check_is_safe``."""
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="allow an endpoint without https, although others can then read the secret and tokens",
    )


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add ``--formats``, the names of the actions' formats."""
    parser.add_argument(
        "--formats",
        type=_formats,
        default=(),
        metavar="A,B",
        help="names of formats, like ORIGINAL,PPRO_PROXY; "
        "default: those of the service's FORMAT_NAMES",
    )


def add_storages(parser: argparse.ArgumentParser, about: str, *, is_required: bool = False) -> None:
    """Add ``--b2_storage_id`` and ``--ll_storage_id``; ``about`` is the end of their help."""
    for name, what in (("b2", "Backblaze B2"), ("ll", "LucidLink")):
        parser.add_argument(
            f"--{name}_storage_id",
            required=is_required,
            type=_storage,
            metavar="STORAGE",
            help=f"id or name of the {what} storage {about}",
        )


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Add ``--dry-run``."""
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be done, and change nothing"
    )


def check_is_safe(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with status 2 if sending the shared secret would expose it to eavesdropping."""
    if not options.endpoint.is_safe and not options.insecure:
        parser.error(
            "argument --endpoint: must begin with https://, because the secret is sent there; "
            "to allow http://, add --insecure"
        )


def run(program: str, options: argparse.Namespace, work: Work) -> int:
    """Run a script's work, and report a failure in one line.

    Args:
        program: the script's name, which starts that line.
        options: passed to the work.
        work: the work; it may raise ``PluginError``.

    Returns:
        The exit code: 0, 1 after a failure, 130 when interrupted, or 141 if the reader closed the
        pipe.
    """
    as_json = getattr(options, "json", False)
    return output.run(lambda: _attempt(program, options, work), as_json=as_json)


def _attempt(program: str, options: argparse.Namespace, work: Work) -> int:
    settings: Settings | None = None
    try:
        settings = environment.load()
        http = transport_to(settings)
        try:
            work(options, settings, Iconik(http))
        finally:
            http.close()
    except (PluginError, IconikError) as error:
        print(f"{program}: {explained(settings, error)}", file=sys.stderr)
        return FAILED
    return 0


def transport_to(settings: Settings) -> Transport:
    """Create a transport to iconik with the application's token.

    Raises:
        SettingsError: there is no token.
    """
    if not settings.iconik_token:
        raise SettingsError(
            "ICONIK_TOKEN", "is not set: it must be an application token (see .env.example)"
        )
    # The error that follows reports the rejected token. Don't log it as well.
    logging.getLogger("iconik_http.tokens").addHandler(logging.NullHandler())
    pacer = Pacer(settings.requests_per_second)
    return Transport(
        settings.iconik_url, settings.iconik_id, Tokens("", settings.iconik_token), pacer
    )


def explained(settings: Settings | None, error: PluginError | IconikError) -> str:
    """Describe a failure in one line, without secrets.

    Args:
        settings: the script's settings; None if they could not be read.
    """
    if isinstance(error, TokenRejected):
        return (
            f"could not {error.call}: iconik rejects ICONIK_TOKEN (401) for this ICONIK_ID; create "
            "a new application token in iconik, and check that ICONIK_ID is its application"
        )
    return concealed(settings, str(error))


def concealed(settings: Settings | None, text: str) -> str:
    """Return a text in one line, without secrets, tokens and control characters.

    iconik's description of a failed request may repeat the request.
    """
    values = (
        (
            *settings.secrets,
            settings.iconik_token or "",
            settings.b2_key or "",
            settings.page_password or "",
            *settings.notify_urls,
        )
        if settings
        else ()
    )
    for value in values:
        if len(value) >= SHORTEST_CONCEALED:
            text = text.replace(value, "***")
    return plain(text)


def say(done: str, title: str, context: str) -> None:
    """Print a line about one custom action."""
    print(f"{done}  {plain(title)}  {context}", flush=True)


def in_words(names: Sequence[str]) -> str:
    """Join names: 'A', 'A and B', 'A, B and C'."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _endpoint(text: str) -> Endpoint:
    try:
        return endpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _storage(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("must be the id or the name of a storage")
    return text


def _formats(text: str) -> tuple[str, ...]:
    try:
        return split_formats("the value", text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
