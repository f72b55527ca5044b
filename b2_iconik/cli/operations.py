"""Show operations and what is on LucidLink, and act on them, from the shell."""

import argparse
import getpass
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from b2_iconik.cli import inspection
from b2_iconik.cli.lists import held, listed
from b2_iconik.cli.lookup import find_operation, known_asset
from b2_iconik.cli.text import as_json, asset_in_full, in_full, json_parts, previewed, wrapped
from b2_iconik.cli.watch import Watch
from b2_iconik.common import logs, output
from b2_iconik.common import settings as environment
from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import PluginError, RetryError
from b2_iconik.common.settings import Settings
from b2_iconik.common.texts import plain
from b2_iconik.common.version import VERSION
from b2_iconik.dispatch.leader_lock import is_taken
from b2_iconik.dispatch.protect import lift, protect
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.dispatch.retry import remove_previewed, try_again, undo_removal
from b2_iconik.domain.click import ACTIONS
from b2_iconik.domain.keeping import LONGEST_PROTECTION, parse_day, parse_reason
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.protections import Protection
from b2_iconik.report import lucidlink
from b2_iconik.report.contents import OPERATIONS_A_PAGE, Contents
from b2_iconik.report.database_problem import opened
from b2_iconik.report.history import STATES, Filters
from b2_iconik.report.lucidlink import ASSETS_A_PAGE, DUE, OnLucidLink

PATIENCE = 5.0
NEWEST = 50
ID = "id of the operation, or its first characters, as shown by list"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show operations or what is on LucidLink, or stop, retry, undo or carry out an operation.

    Args:
        arguments: the command-line arguments; those of the process if not given.

    Returns:
        The exit status: 0, 1 after a failure, 130 when interrupted, or 141 if the reader closed the
        pipe.
    """
    # Escape undecodable bytes. The database contains none, and they can't be encoded for a query.
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args([plain(each) for each in given])
    return output.run(lambda: _do(options), as_json=options.json)


def _do(options: argparse.Namespace) -> int:
    try:
        settings = environment.load()
        with opened(settings.database_url, PATIENCE) as engine:
            options.do(options, settings, engine)
    except PluginError as error:
        print(f"script/operations: {error}", file=sys.stderr)
        return 1
    return 0


def _list(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    contents = Contents(engine)
    given = {name: getattr(options, name) for name in ("state", "action", "text", "user")}
    filters = Filters(**given)
    operations = contents.listed(filters, options.limit)
    if not options.json:
        print(listed(operations, _width()))
        return
    # The same as the JSON of the operations page.
    matching = contents.history.matching(filters)
    page = options.limit // OPERATIONS_A_PAGE + 1
    query = urlencode({**{name: value for name, value in given.items() if value}, "page": page})
    told = {
        "operations": operations,
        "running": contents.history.running(),
        "executor": is_taken(settings.database_url),
        "matching": matching,
        "older": f"/operations?{query}" if matching > options.limit else None,
    }
    print(as_json(told))


def _lucidlink(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    given = {name: getattr(options, name) for name in ("due", "text", "user")}
    filters = lucidlink.Filters(**given, format_name=options.format)
    told = OnLucidLink(engine).listed(filters, options.limit)
    if not options.json:
        print(held(told, _width()))
        if not settings.iconik_token:
            print("Nothing is removed automatically: the service has no ICONIK_TOKEN.")
        return
    # The same as the JSON of the page.
    del told["page"]
    page = options.limit // ASSETS_A_PAGE + 1
    named = {**given, "format_name": options.format}
    query = urlencode({**{name: value for name, value in named.items() if value}, "page": page})
    told["removes_by_itself"] = bool(settings.iconik_token)
    told["more"] = f"/lucidlink?{query}" if told["matching"] > options.limit else None
    print(as_json(told))


def _show(options: argparse.Namespace, _: Settings, engine: sa.Engine) -> None:
    contents = Contents(engine)
    operation = find_operation(contents, options.id)
    rows = contents.rows(operation)
    if options.asset:
        told = inspection.asset(contents, operation, options.asset)
        _print([as_json(told)] if options.json else asset_in_full(told))
    elif options.json:
        lists = {"problems": inspection.problems(rows), "report": contents.rows(operation)}
        sys.stdout.writelines(json_parts(inspection.page(contents, operation), lists))
    elif options.all:
        advised = (row for row in rows if row["what_to_do"])
        others = (row for row in contents.rows(operation) if not row["what_to_do"])
        _print(in_full(contents.in_full(operation), advised, others))
    else:
        _print(in_full(contents.in_full(operation), inspection.problems(rows)))


def _preview(options: argparse.Namespace, _: Settings, engine: sa.Engine) -> None:
    contents = Contents(engine)
    operation = find_operation(contents, options.id)
    if operation.action != "preview":
        raise PluginError(f"operation {operation.id} is not a preview: show prints its report")
    if operation.ended_ms is None:
        raise PluginError(f"operation {operation.id} is still running: watch follows it")
    told = inspection.previewed(contents, operation)
    problems = inspection.problems(contents.rows(operation))
    if options.json:
        sys.stdout.writelines(json_parts(told, {"problems": problems}))
    else:
        _print(previewed(told, problems))


def _print(lines: Iterable[str]) -> None:
    width = _width()
    for each in lines:
        print(wrapped(each, width))


def _width() -> int | None:
    """Return the width of the terminal, or of COLUMNS; None in a pipe, where no line is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _watch(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    contents = Contents(engine)
    operation = find_operation(contents, options.id) if options.id else None
    Watch(contents, sys.stdout, operation.id if operation else None, as_json=options.json).run()
    if operation and not options.json:
        _show(options, settings, engine)


def _stop(options: argparse.Namespace, _: Settings, engine: sa.Engine) -> None:
    operation = find_operation(Contents(engine), options.id)
    if not Ledger(engine).ask_to_stop(operation.id, _by(), now_ms()):
        raise PluginError(f"operation {operation.id} has already ended")
    message = "The operation will stop at its next safe point."
    _say(options, message, operation_id=operation.id)


def _retry(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    operation = find_operation(Contents(engine), options.id)
    with closing(Recorder(settings)) as recorder:
        try:
            new_id, is_new = try_again(recorder, operation.id, _by(), everything=options.everything)
        except RetryError as error:
            raise PluginError(f"operation {operation.id} cannot be retried: {error}") from None
    message = "Recorded as" if is_new else "The same operation was already waiting to start:"
    _say(options, f"{message} {new_id}", operation_id=new_id, is_new=is_new)


def _follow_up(
    record: Callable[[Recorder, str, str], list[str]],
    refused: str,
    options: argparse.Namespace,
    settings: Settings,
    engine: sa.Engine,
) -> None:
    """Record operations that follow from one: a removal after a preview, or an undo."""
    operation = find_operation(Contents(engine), options.id)
    with closing(Recorder(settings)) as recorder:
        try:
            new_ids = record(recorder, operation.id, _by())
        except RetryError as error:
            raise PluginError(f"operation {operation.id} {refused}: {error}") from None
    message = f"Recorded as {', '.join(new_ids)}"
    _say(options, message, operation_id=operation.id, operation_ids=new_ids)


def _protect(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    asset_id, title = known_asset(engine, options.asset)
    now = now_ms()
    try:
        until_ms = parse_day(options.until, now, LONGEST_PROTECTION)
    except ValueError as error:
        raise PluginError(f"--until {error}") from None
    # The audit log line goes to stderr.
    logs.configure(settings.log_level, settings.log_format)
    protection = Protection(asset_id, title, now, until_ms, _by())
    late = ", but a Remove had already begun to delete it, and will finish"
    is_late = protect(engine, protection)
    message = f"Protected until {protection.until}{late if is_late else ''}."
    _say(options, message, asset_id=asset_id, until=protection.until)


def _lift(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    asset_id, _ = known_asset(engine, options.asset)
    try:
        reason = parse_reason(options.reason)
    except ValueError as error:
        raise PluginError(f"--reason {error}") from None
    logs.configure(settings.log_level, settings.log_format)
    lifted = lift(engine, asset_id, reason, _by())
    _say(options, f"Lifted: it was {lifted.outcome.reason}.", asset_id=asset_id)


def _say(options: argparse.Namespace, message: str, **told: Any) -> None:
    """Print what was done, as a message or as JSON."""
    print(as_json({**told, "message": message}, None) if options.json else message)


def _by() -> str:
    """Return the name of the user at the shell, as the rest of 'stopped by'."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name} with script/operations"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/operations", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, do: Callable[..., None], about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about)
        made.set_defaults(do=do)
        return made

    listing = command("list", _list, "list the newest operations, one per line")
    listing.add_argument("--state", choices=STATES, default="", help="only this state")
    listing.add_argument("--action", choices=ACTIONS, default="", help="only this action")
    listing.add_argument(
        "--text",
        default="",
        help="search in titles, failures, names of users, files in reasons, causes, and ids of "
        "assets",
    )
    listing.add_argument(
        "--user", default="", help="only clicks of this user: the id, or a part of the name"
    )
    holding = command("lucidlink", _lucidlink, "list what is on LucidLink, an asset per line")
    holding.add_argument("--due", choices=DUE, default="", help="only what is due in this time")
    holding.add_argument("--text", default="", help="search in titles, names of users, and ids")
    holding.add_argument(
        "--user", default="", help="only what this user added: the id, or a part of the name"
    )
    holding.add_argument("--format", default="", metavar="NAME", help="only this format")
    for each in (listing, holding):
        each.add_argument(
            "--limit",
            type=_positive,
            default=NEWEST,
            metavar="N",
            help=f"at most N (default: {NEWEST})",
        )
    showing = command("show", _show, "show one operation and its problems")
    showing.add_argument("id", help=ID)
    assets = showing.add_mutually_exclusive_group()
    assets.add_argument("asset", nargs="?", help="show only one asset: its id, title or address")
    assets.add_argument("--all", action="store_true", help="also show all other outcomes")
    watching = command("watch", _watch, "follow one operation, or all running ones")
    watching.add_argument("id", nargs="?", help=ID)
    watching.set_defaults(asset=None, all=False)
    stopping = command("stop", _stop, "stop an operation at its next safe point")
    retrying = command("retry", _retry, "retry the unfinished assets of an operation")
    retrying.add_argument("--everything", action="store_true", help="retry all of its assets")
    undo = partial(_follow_up, undo_removal, "cannot be undone")
    undoing = command("undo", undo, "bring back what a Remove with PURGE=later has removed")
    previewing = command("preview", _preview, "show what a preview found")
    remove = partial(_follow_up, remove_previewed, "removes nothing")
    removing = command("remove", remove, "remove what a preview found removable")
    for each in (stopping, retrying, undoing, previewing, removing):
        each.add_argument("id", help=ID)
    protecting = command("protect", _protect, "protect an asset from every Remove")
    protecting.add_argument("--until", required=True, metavar="DATE", help="the last day")
    lifting = command("lift", _lift, "lift the protection of an asset")
    lifting.add_argument("--reason", required=True, metavar="TEXT", help="why, for the audit log")
    for each in (protecting, lifting):
        each.add_argument("asset", help="id of the asset, or its address in iconik")
    for each in commands.choices.values():
        each.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 1000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000")
    return number
