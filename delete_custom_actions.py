"""Delete the plugin's custom actions from iconik."""

import argparse
from collections.abc import Sequence

from b2_iconik.common.settings import Settings
from b2_iconik.setup import action_url
from b2_iconik.setup.action_table import overview
from b2_iconik.setup.action_url import Endpoint
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
    delete(iconik, options.endpoint, options.formats, is_dry=options.dry_run)
    if options.dry_run:
        print("nothing was changed")
    left = action_url.ours(options.endpoint, iconik.custom_actions())
    print(f"\n{overview(options.endpoint, left)}")


def delete(
    iconik: Iconik, where: Endpoint, formats: tuple[str, ...], *, is_dry: bool = False
) -> None:
    """Delete the custom actions of one service, and report them.

    Args:
        where: the service. Actions that point elsewhere are left alone.
        formats: delete only actions that name exactly these formats; empty for all of the
            service's.
        is_dry: whether to only report the actions.

    Raises:
        IconikError: iconik is unavailable or refuses. The actions reported before are deleted.
    """
    ours = [
        each
        for each in action_url.ours(where, iconik.custom_actions())
        if not formats or each.target.formats == frozenset(formats)
    ]
    for each in ours:
        if not is_dry:
            iconik.delete_custom_action(each.context, each.id)
        say("would delete" if is_dry else "deleted", each.title, each.context)
    if not ours:
        about = f" for {in_words(formats)}" if formats else ""
        print(f"nothing to delete under {where.text}{about}")


if __name__ == "__main__":
    raise SystemExit(main())
