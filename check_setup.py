"""Show what is wrong with a set-up, and what to do about it. Changes nothing."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from b2_iconik.common import output
from b2_iconik.common.settings import Settings
from b2_iconik.setup import (
    action_url,
    check_actions,
    check_bucket,
    check_database,
    check_notifications,
    check_roles,
    check_service,
    check_settings,
)
from b2_iconik.setup.command_line import (
    FAILED,
    Parser,
    add_endpoint,
    add_insecure,
    add_storages,
    check_is_safe,
    concealed,
    explained,
    transport_to,
)
from b2_iconik.setup.findings import Finding, ok, unknown, wrong
from iconik import Iconik, Transport
from iconik_http.errors import IconikRefused, IconikUnavailable, NotPermitted, TokenRejected

PROGRAM = "check_setup.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        argv: the options; those of the command line if not given.

    Returns:
        The exit code: 0, 1 if something is wrong, 130 when interrupted, or 141 if the reader closed
        the pipe.

    Raises:
        SystemExit: the options are invalid (2), or help was requested (0).
    """
    parser = Parser(PROGRAM, __doc__)
    add_endpoint(parser, is_required=False)
    add_storages(parser, "(default: that of the custom actions)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--notify", action="store_true", help="send a test message to each address of NOTIFY_URLS"
    )
    add_insecure(parser)
    options = parser.parse_args(argv)
    if options.endpoint:
        check_is_safe(parser, options)
    return output.run(lambda: _show(options), as_json=options.json)


def _show(options: argparse.Namespace) -> int:
    settings, found = check_settings.read()
    if not options.json:
        for each in found:
            print(each.line, flush=True)
    for each in _examine(options, settings):
        what, detail = (concealed(settings, text) for text in (each.what, each.detail))
        safe = replace(each, what=what, detail=detail)
        found.append(safe)
        if not options.json:
            print(safe.line, flush=True)
    number = sum(each.state == "wrong" for each in found)
    if options.json:
        told = {"ok": number == 0, "findings": [asdict(each) for each in found]}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        said = f"{number} things are" if number > 1 else "One thing is" if number else "Nothing is"
        print(f"\n{said} wrong.")
    return FAILED if number else 0


def _examine(options: argparse.Namespace, settings: Settings | None) -> Iterator[Finding]:
    if settings is None:
        yield unknown("everything else", "is checked when the settings are right")
        return
    yield from check_database.check(settings)
    yield from check_service.check(options.endpoint, settings)
    yield from check_notifications.check(settings, is_sending=options.notify)
    if settings.iconik_token:
        http = transport_to(settings)
        try:
            yield from _ask_iconik(options, settings, http)
            return
        except TokenRejected as error:
            yield wrong(check_roles.TOKEN, explained(settings, error))
        except IconikUnavailable as error:
            do = f"check ICONIK_URL ({settings.iconik_url}), and {check_bucket.CONNECTIONS}"
            yield wrong("iconik", f"{explained(settings, error)}: {do}")
        finally:
            http.close()
    yield unknown("roles, custom actions and storages", "cannot be checked without iconik")
    yield from check_bucket.check_key(settings)


def _ask_iconik(
    options: argparse.Namespace, settings: Settings, http: Transport
) -> Iterator[Finding]:
    iconik = Iconik(http)
    token = list(check_roles.check_token(http))
    yield ok("iconik", f"{settings.iconik_url} answers")
    yield from token
    is_undoable = settings.purge == "later"
    yield from check_roles.check_roles(iconik, http, is_undoable=is_undoable)
    if is_undoable:
        yield check_roles.check_grace_period(iconik)
    actions: list[dict[str, Any]] = []
    try:
        actions = iconik.custom_actions()
    except (IconikRefused, TokenRejected) as error:
        yield _refused("custom actions", settings, error)
    else:
        yield from check_actions.check_actions(options.endpoint, actions, settings)
    ours = action_url.ours(options.endpoint, actions) if options.endpoint else []
    b2 = options.b2_storage_id or ""
    try:
        yield from check_actions.check_storages(iconik, b2, options.ll_storage_id or "", ours)
        named = {b2} if b2 else {each.target.b2_storage_id for each in ours}
        yield from check_bucket.check(iconik, http, settings, named)
    except (IconikRefused, TokenRejected) as error:
        yield _refused("storages", settings, error)


def _refused(what: str, settings: Settings, error: IconikRefused | TokenRejected) -> Finding:
    """Return the finding about a refused request."""
    if isinstance(error, NotPermitted):
        return unknown(what, f"cannot be checked without {error.role}")
    return wrong(what, explained(settings, error))


if __name__ == "__main__":
    raise SystemExit(main())
