"""Delete the plugin's custom actions from iconik."""

import argparse
from collections.abc import Sequence

from b2_iconik.common.settings import Settings
from b2_iconik.setup import action_url
from b2_iconik.setup.action_table import overview
from b2_iconik.setup.command_line import (
    Parser,
    add_dry_run,
    add_endpoint,
    add_formats,
    in_words,
    run,
    say,
)
from iconik import Iconik

PROGRAM = "delete_custom_actions.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script. Return value and exceptions are those of ``create_custom_actions.main``."""
    parser = Parser(PROGRAM, __doc__)
    add_endpoint(parser)
    add_formats(parser)
    add_dry_run(parser)
    return run(PROGRAM, parser.parse_args(argv), _work)


def _work(options: argparse.Namespace, _: Settings, iconik: Iconik) -> None:
    where, formats = options.endpoint, frozenset(options.formats)
    ours = action_url.ours(where, iconik.custom_actions())
    chosen = [each for each in ours if not formats or each.target.formats == formats]
    for each in chosen:
        if not options.dry_run:
            iconik.delete_custom_action(each.context, each.id)
        say("would delete" if options.dry_run else "deleted", each.title, each.context)
    if not chosen:
        about = f" for {in_words(options.formats)}" if formats else ""
        print(f"nothing to delete under {where.text}{about}")
    if options.dry_run:
        print("nothing was changed")
    left = action_url.ours(where, iconik.custom_actions())
    print(f"\n{overview(where, left)}")


if __name__ == "__main__":
    raise SystemExit(main())
