"""Check the settings, and report all problems, not only the first."""

import os
from collections.abc import Iterator
from pathlib import Path

from b2_iconik.common import settings as environment
from b2_iconik.common.errors import SettingsError
from b2_iconik.common.settings import SHORT_SECRET, Settings
from b2_iconik.setup.findings import Finding, note, ok, unknown, wrong

WHAT = "settings"
TOKEN = "ICONIK_TOKEN"  # noqa: S105 - a variable's name
WITHOUT_TOKEN = unknown("iconik", "cannot be checked without ICONIK_TOKEN")
# Valid values for required settings, so that the other settings can be checked.
STAND_INS = {"ICONIK_ID": "00000000-0000-4000-8000-000000000000", "BZ_SHARED_SECRET": "x" * 64}


def read() -> tuple[Settings | None, list[Finding]]:
    """Read the settings from the environment and `.env`, with findings about them.

    Returns:
        The settings, or None if the service would not start with them, and the findings. If only
        the token is malformed, these are the settings without it, so that the rest can be checked.
    """
    given = dict(os.environ)
    settings: Settings | None = None
    problems: dict[str, Finding] = {}
    while settings is None:
        try:
            settings = environment.load(given)
        except SettingsError as error:
            if error.subject in problems:
                break
            problems[error.subject] = wrong(WHAT, str(error))
            given[error.subject] = STAND_INS.get(error.subject, "")
    found = list(problems.values())
    if settings is None or set(problems) - {TOKEN}:
        return None, found
    if problems:
        return settings, [*found, WITHOUT_TOKEN]
    return settings, list(_remarks(settings))


def _remarks(settings: Settings) -> Iterator[Finding]:
    where = "" if Path(".env").exists() else "; there is no .env in the working directory"
    yield ok(WHAT, f"the service can start with them{where}")
    if len(settings.secret) < SHORT_SECRET:
        yield note(
            "BZ_SHARED_SECRET",
            f"has fewer than {SHORT_SECRET} characters: create a longer one with "
            "'openssl rand -hex 32'",
        )
    if settings.previous_secret:
        yield note(
            "BZ_SHARED_SECRET_PREVIOUS",
            "is also accepted: remove it when the secret has been replaced",
        )
    if not settings.iconik_token:
        yield wrong(
            TOKEN,
            "is not set: without an application token, nothing in iconik can be checked or set up, "
            "and assets that were added for a while are not removed when their time is up",
        )
        yield WITHOUT_TOKEN
