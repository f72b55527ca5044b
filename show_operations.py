"""Show the operations that the service has taken on, and their reports, from the shell."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

import settings as environment
from database import connect
from errors import SettingsError
from ledger import Ledger
from outcomes import in_words, report
from tables import Operation
from version import VERSION

PATIENCE = 5.0
NEWEST = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a list of operations or the report of one.

    Returns:
        The exit status: 0, or 1 if that failed.
    """
    options = _parser().parse_args(arguments)
    try:
        url = make_url(environment.load().database_url)
    except SettingsError as error:
        return _complain(str(error))
    # To look must not create one, perhaps as another user than the service's.
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return _complain(f"there is no database {url.database}: has the service been started?")
    engine = connect(url.render_as_string(hide_password=False), PATIENCE)
    try:
        ledger = Ledger(engine)
        if options.command == "list":
            told = [_report(ledger, each) for each in ledger.newest(NEWEST)]
            print(json.dumps(told, indent=2) if options.json else _list(told))
            return 0
        operation = ledger.operation(options.id)
        if operation is None:
            return _complain(f"there is no operation {options.id}")
        one = _report(ledger, operation)
        print(json.dumps(one, indent=2) if options.json else in_full(one))
        return 0
    except SQLAlchemyError as error:
        return _complain(f"the database can't be read ({type(error).__name__})")
    finally:
        engine.dispose()


def in_full(told: dict[str, Any]) -> str:
    """A report as a person reads it.

    Args:
        told: as ``outcomes.report`` returns it.
    """
    lines = [
        f"{told['title']}: {told['result']}",
        f"  operation  {told['operation_id']}",
        f"  selection  {told['selection']}, formats {', '.join(told['formats'])}",
        f"  recorded   {told['recorded']}, ended {told['ended'] or 'not yet'}",
        f"  in all     {in_words(told['counts'])}",
    ]
    if told["failure"]:
        lines.append(f"  failure    {told['failure']}")
    for problem in told["problems"]:
        what = " ".join(filter(None, (problem["asset_id"], problem["format"])))
        lines.append(f"  {problem['kind']:<9}  {what}: {problem['reason']}")
    return "\n".join(lines)


def _list(told: list[dict[str, Any]]) -> str:
    if not told:
        return "No operations yet."
    return "\n".join(
        f"{one['operation_id']}  {one['recorded']}  {one['title']:<21}  {one['result']:<22}  "
        f"{in_words(one['counts'])}"
        for one in told
    )


def _report(ledger: Ledger, operation: Operation) -> dict[str, Any]:
    return report(operation, ledger.outcomes(operation.number), ledger.gone(operation.number))


def _complain(problem: str) -> int:
    print(f"script/operations: {problem}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/operations", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help=f"the newest {NEWEST} operations, a line each")
    showing = commands.add_parser("show", help="the report of one operation")
    showing.add_argument("id", help="the operation's id, as it was answered to the click")
    for command in (listing, showing):
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
