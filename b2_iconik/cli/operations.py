"""Show, stop and retry the service's operations from the shell."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.cli.inspection import OperationDetails
from b2_iconik.cli.text import asset_in_full, in_full, json_parts, listed
from b2_iconik.cli.watch import Watch
from b2_iconik.common import settings as environment
from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import PluginError, RetryError, SettingsError
from b2_iconik.common.settings import Settings
from b2_iconik.common.texts import plain
from b2_iconik.common.version import VERSION
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.dispatch.retry import try_again
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from b2_iconik.report.contents import Contents
from b2_iconik.report.history import STATES, Filters

PATIENCE = 5.0
NEWEST = 50
ID = "id of the operation, as shown by list"
INTERRUPTED = 130
# The shell's exit status for a program that ends because its pipe was closed.
UNHEARD = 141


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
    try:
        settings = environment.load()
        url = make_url(settings.database_url)
    except SettingsError as error:
        return _complain(str(error))
    # Don't create a database, perhaps with a different owner than the service's user.
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return _complain(
            f"database {url.database} does not exist: start the service once to create it"
        )
    engine = connect(url.render_as_string(hide_password=False), PATIENCE)
    try:
        status = int(options.do(options, settings, engine))
        sys.stdout.flush()
        return status
    except PluginError as error:
        return _complain(str(error))
    except SQLAlchemyError as error:
        return _complain(f"the database cannot be used ({type(error).__name__})")
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe. Without this, Python would report lost output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNHEARD
    finally:
        engine.dispose()


def _list(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> int:
    filters = Filters(options.state, options.action, options.text, options.user)
    told = Contents(engine).listed(filters, options.limit)
    print(json.dumps(told, indent=2) if options.json else listed(told))
    return 0


def _show(options: argparse.Namespace, _: Settings, engine: sa.Engine) -> int:
    operation = Ledger(engine).operation(options.id)
    if operation is None:
        return _unknown(options.id)
    inspection = OperationDetails(engine, operation)
    if options.asset:
        return _show_asset(options, inspection)
    told = inspection.in_full()
    if options.json:
        lists = {"problems": inspection.problems()}
        lists |= {"report": inspection.rows()} if options.all else {}
        sys.stdout.writelines(json_parts(told, lists))
    else:
        rows = inspection.rows() if options.all else inspection.problems()
        for each in in_full(told, rows):
            print(each)
    return 0


def _show_asset(options: argparse.Namespace, inspection: OperationDetails) -> int:
    told = inspection.asset(options.asset)
    if told is None:
        listed_yet = "does not include it, or has not listed it yet"
        return _complain(f"asset {options.asset}: operation {options.id} {listed_yet}")
    if options.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(asset_in_full(told)))
    return 0


def _watch(options: argparse.Namespace, settings: Settings, engine: sa.Engine) -> int:
    contents = Contents(engine)
    if options.id and contents.operation(options.id) is None:
        return _unknown(options.id)
    Watch(contents, sys.stdout, options.id, as_json=options.json).run()
    return _show(options, settings, engine) if options.id and not options.json else 0


def _stop(options: argparse.Namespace, _: Settings, engine: sa.Engine) -> int:
    if Ledger(engine).operation(options.id) is None:
        return _unknown(options.id)
    if not Ledger(engine).ask_to_stop(options.id, _by(), now_ms()):
        return _complain(f"operation {options.id} has already ended")
    told = {
        "operation_id": options.id,
        "message": "The operation will stop at its next safe point.",
    }
    print(json.dumps(told) if options.json else told["message"])
    return 0


def _retry(options: argparse.Namespace, settings: Settings, _: sa.Engine) -> int:
    recorder = Recorder(settings)
    try:
        new_id, is_new = try_again(recorder, options.id, _by(), everything=options.everything)
    except RetryError as error:
        return _complain(f"operation {options.id} cannot be retried: {error}")
    finally:
        recorder.close()
    message = "Recorded as" if is_new else "The same operation was already waiting to start:"
    told: dict[str, Any] = {"operation_id": new_id, "is_new": is_new}
    print(json.dumps(told) if options.json else f"{message} {new_id}")
    return 0


def _by() -> str:
    """Return the name of the user at the shell, as the rest of 'stopped by'."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name} with script/operations"


def _unknown(operation_id: str) -> int:
    return _complain(f"operation {operation_id} does not exist")


def _complain(problem: str) -> int:
    print(f"script/operations: {problem}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/operations", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="list the newest operations, one per line")
    listing.add_argument("--state", choices=STATES, default="", help="only this state")
    listing.add_argument("--action", choices=("add", "remove"), default="", help="only this action")
    listing.add_argument(
        "--text", default="", help="search in titles, failures, names of users, and ids of assets"
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
    assets.add_argument("asset", nargs="?", help="show only the asset with this id")
    assets.add_argument("--all", action="store_true", help="show the outcome of every asset")
    watching = commands.add_parser("watch", help="follow one operation, or all running ones")
    watching.add_argument("id", nargs="?", help="the operation's id")
    watching.set_defaults(asset=None, all=False)
    stopping = commands.add_parser("stop", help="stop an operation at its next safe point")
    retrying = commands.add_parser("retry", help="retry the unfinished assets of an operation")
    retrying.add_argument("--everything", action="store_true", help="retry all of its assets")
    for command in (stopping, retrying):
        command.add_argument("id", help=ID)
    for command, do in (
        (listing, _list),
        (showing, _show),
        (watching, _watch),
        (stopping, _stop),
        (retrying, _retry),
    ):
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(do=do)
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if not 0 < number <= 1000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000")
    return number
