"""Show, stop and retry the service's operations, and protect assets, from the shell."""

import argparse
import getpass
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

import sqlalchemy as sa

from b2_iconik.cli.inspection import OperationDetails
from b2_iconik.cli.lists import listed
from b2_iconik.cli.lookup import find_operation, known_asset
from b2_iconik.cli.text import as_json, asset_in_full, in_full, json_parts, wrapped
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
from b2_iconik.dispatch.retry import try_again
from b2_iconik.domain.click import ACTIONS
from b2_iconik.domain.protection import parse_day, parse_reason
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.protections import Protection
from b2_iconik.report.contents import OPERATIONS_A_PAGE, Contents
from b2_iconik.report.database_problem import opened
from b2_iconik.report.history import STATES, Filters

PATIENCE = 5.0
NEWEST = 50
ID = "id of the operation, or its first characters, as shown by list"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show operations, or stop or retry one.

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


def _show(options: argparse.Namespace, _: Settings, engine: sa.Engine) -> None:
    details = OperationDetails(engine, find_operation(Contents(engine), options.id))
    if options.asset:
        told = details.asset(options.asset)
        _print([as_json(told)] if options.json else asset_in_full(told))
    elif options.json:
        lists = {"problems": details.problems(), "report": details.rows()}
        sys.stdout.writelines(json_parts(details.page(), lists))
    elif options.all:
        _print(in_full(details.in_full(), details.advised(), details.others()))
    else:
        _print(in_full(details.in_full(), details.problems()))


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
    told = {"operation_id": operation.id, "message": message}
    print(as_json(told, None) if options.json else message)


def _retry(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    operation = find_operation(Contents(engine), options.id)
    recorder = Recorder(settings)
    try:
        new_id, is_new = try_again(recorder, operation.id, _by(), everything=options.everything)
    except RetryError as error:
        raise PluginError(f"operation {operation.id} cannot be retried: {error}") from None
    finally:
        recorder.close()
    message = "Recorded as" if is_new else "The same operation was already waiting to start:"
    told = {"operation_id": new_id, "message": f"{message} {new_id}", "is_new": is_new}
    print(as_json(told, None) if options.json else told["message"])


def _protect(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    asset_id, title = known_asset(engine, options.asset)
    now = now_ms()
    try:
        until_ms = parse_day(options.until, now)
    except ValueError as error:
        raise PluginError(f"--until {error}") from None
    # The audit log line goes to stderr.
    logs.configure(settings.log_level, settings.log_format)
    protection = Protection(asset_id, title, now, until_ms, _by())
    late = ", but a deletion of it had begun before, and is finished"
    is_late = protect(engine, protection)
    message = f"Protected until {protection.until}{late if is_late else ''}."
    told = {"asset_id": asset_id, "until": protection.until, "message": message}
    print(as_json(told, None) if options.json else message)


def _lift(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> None:
    asset_id, _ = known_asset(engine, options.asset)
    try:
        reason = parse_reason(options.reason)
    except ValueError as error:
        raise PluginError(f"--reason {error}") from None
    logs.configure(settings.log_level, settings.log_format)
    lifted = lift(engine, asset_id, reason, _by())
    message = f"Lifted: it was {lifted.outcome.reason}."
    told = {"asset_id": asset_id, "message": message}
    print(as_json(told, None) if options.json else message)


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
    listing = commands.add_parser("list", help="list the newest operations, one per line")
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
    listing.add_argument(
        "--limit",
        type=_positive,
        default=NEWEST,
        metavar="N",
        help=f"at most N (default: {NEWEST})",
    )
    showing = commands.add_parser("show", help="show one operation and its problems")
    showing.add_argument("id", help=ID)
    assets = showing.add_mutually_exclusive_group()
    assets.add_argument("asset", nargs="?", help="show only one asset: its id, title or address")
    assets.add_argument("--all", action="store_true", help="also show all other outcomes")
    watching = commands.add_parser("watch", help="follow one operation, or all running ones")
    watching.add_argument("id", nargs="?", help=ID)
    watching.set_defaults(asset=None, all=False)
    stopping = commands.add_parser("stop", help="stop an operation at its next safe point")
    retrying = commands.add_parser("retry", help="retry the unfinished assets of an operation")
    retrying.add_argument("--everything", action="store_true", help="retry all of its assets")
    for command in (stopping, retrying):
        command.add_argument("id", help=ID)
    protecting = commands.add_parser("protect", help="protect an asset from every Remove")
    protecting.add_argument("--until", required=True, metavar="DATE", help="the last day, in UTC")
    lifting = commands.add_parser("lift", help="lift the protection of an asset")
    lifting.add_argument("--reason", required=True, metavar="TEXT", help="why, for the audit log")
    for command in (protecting, lifting):
        command.add_argument("asset", help="id of the asset, or its address in iconik")
    for command, do in (
        (listing, _list),
        (showing, _show),
        (watching, _watch),
        (stopping, _stop),
        (retrying, _retry),
        (protecting, _protect),
        (lifting, _lift),
    ):
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(do=do)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 1000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000")
    return number
