"""What the set-up scripts share: their options, their way to iconik, and how they end."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import settings as environment
from action_url import Endpoint, endpoint
from errors import PluginError, SettingsError, TokenRejected
from iconik import Iconik
from settings import UUID, Settings, split_formats
from transport import Pacer, Transport
from version import VERSION

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
# A shorter one would be found in our own words, too.
SHORTEST_CONCEALED = 8


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that says in one line what is wrong, without the usage."""

    def __init__(self, description: str | None) -> None:
        # Abbreviations would let `--format` mean something until another option is like it.
        super().__init__(description=description, allow_abbrev=False)
        self.add_argument("--version", action="version", version=VERSION)

    def error(self, message: str) -> NoReturn:
        """Exit with 2."""
        self.exit(MISUSED, f"{self.prog}: {message} (see --help)\n")


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--endpoint`` and ``--formats``, which both scripts have."""
    parser.add_argument(
        "--endpoint",
        required=True,
        type=_endpoint,
        metavar="URL",
        help="where iconik reaches the plugin, like https://plugin.example.com",
    )
    parser.add_argument(
        "--formats",
        type=_formats,
        default=(),
        metavar="A,B",
        help="names of formats, like ORIGINAL,PPRO_PROXY; "
        "without it, actions are about those of the service's FORMAT_NAMES",
    )


def storage_id(text: str) -> str:
    """A storage's id, as an option's value.

    Raises:
        argparse.ArgumentTypeError: it is no UUID.
    """
    if not UUID.fullmatch(text):
        raise argparse.ArgumentTypeError("must be the UUID of a storage")
    return text.lower()


def run(program: str, work: Callable[[Settings, Iconik], None]) -> int:
    """Do a script's work, and tell a person in one line why it can't be done.

    Args:
        program: the script's name, for that line.
        work: what to do; may raise ``PluginError``.

    Returns:
        The exit code: 0, 1 for what went wrong, 130 when interrupted.
    """
    # That a token was rejected is said once, by the error that follows.
    logging.getLogger("transport").addHandler(logging.NullHandler())
    confidential: list[str] = []
    try:
        settings = environment.load()
        confidential = [*settings.secrets, settings.iconik_token or ""]
        iconik = _connect(settings)
        try:
            work(settings, iconik)
        finally:
            iconik.close()
    except TokenRejected as error:
        problem = f"could not {error.call}: iconik rejects ICONIK_TOKEN (401) for this ICONIK_ID"
    except PluginError as error:
        problem = _without(confidential, str(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    else:
        return 0
    print(f"{program}: {_one_line(problem)}", file=sys.stderr)  # noqa: T201
    return FAILED


def say(done: str, title: str, context: str) -> None:
    """Print a line about one custom action."""
    print(f"{done}  {_one_line(title)}  {context}", flush=True)  # noqa: T201


def in_words(names: Sequence[str]) -> str:
    """'A', 'A and B', 'A, B and C'."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _connect(settings: Settings) -> Iconik:
    if not settings.iconik_token:
        raise SettingsError(
            "ICONIK_TOKEN is not set: it must be an application token (see .env.example)"
        )
    pacer = Pacer(settings.requests_per_second)
    return Iconik(
        Transport(settings.iconik_url, settings.iconik_id, [settings.iconik_token], pacer)
    )


def _without(confidential: Sequence[str], text: str) -> str:
    # What iconik says is wrong with a request may repeat it, the secret included.
    for value in confidential:
        if len(value) >= SHORTEST_CONCEALED:
            text = text.replace(value, "***")
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _endpoint(text: str) -> Endpoint:
    try:
        return endpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _formats(text: str) -> tuple[str, ...]:
    try:
        return split_formats("the value", text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
