"""List the plugin's custom actions in iconik, and the result of the last click on each."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace

from b2_iconik.common.settings import Settings
from b2_iconik.setup import action_url
from b2_iconik.setup.action_table import as_json, overview
from b2_iconik.setup.command_line import Parser, add_endpoint, concealed, run
from iconik import Iconik
from iconik_http.errors import IconikRefused, TokenRejected

LONGEST_ERROR = 500
PROGRAM = "list_custom_actions.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script. Return value and exceptions are those of ``create_custom_actions.main``."""
    parser = Parser(PROGRAM, __doc__)
    add_endpoint(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return run(PROGRAM, parser.parse_args(argv), _work)


def _work(options: argparse.Namespace, settings: Settings, iconik: Iconik) -> None:
    found = [
        # If another server answered the click, its answer may repeat the secret.
        replace(each, last_error=concealed(settings, each.last_error)[:LONGEST_ERROR])
        for each in action_url.ours(options.endpoint, iconik.custom_actions())
    ]
    if options.json:
        print(json.dumps([as_json(each) for each in found], indent=2, ensure_ascii=False))
    else:
        print(overview(options.endpoint, found, _names(iconik) if found else {}))


def _names(iconik: Iconik) -> dict[str, str]:
    try:
        return {each.id: each.name for each in iconik.storages()}
    except (IconikRefused, TokenRejected):
        # The token may list actions without being allowed to read storages.
        return {}


if __name__ == "__main__":
    raise SystemExit(main())
