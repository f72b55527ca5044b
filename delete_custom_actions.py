"""Delete the plugin's custom actions from iconik."""

from collections.abc import Sequence

import action_url
from action_url import Endpoint
from command_line import Parser, add_common_options, in_words, run, say
from iconik import Iconik
from settings import Settings

PROGRAM = "delete_custom_actions.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        argv: the options; those of the command line if not given.

    Returns:
        The exit code: 0, 1 for what went wrong, 130 when interrupted.

    Raises:
        SystemExit: the options can't be understood (2), or help was asked for (0).
    """
    parser = Parser(__doc__)
    add_common_options(parser)
    options = parser.parse_args(argv)

    def work(_: Settings, iconik: Iconik) -> None:
        delete(iconik, options.endpoint, options.formats)

    return run(PROGRAM, work)


def delete(iconik: Iconik, where: Endpoint, formats: tuple[str, ...]) -> None:
    """Delete the custom actions of one service, and say which.

    Args:
        where: the service; actions that lead anywhere else are left alone.
        formats: only actions that name just these formats; empty for all of the service's.

    Raises:
        IconikError: iconik can't, or won't; what was said to be deleted before is deleted.
    """
    ours = [
        each
        for each in action_url.ours(where, iconik.custom_actions())
        if not formats or each.target.formats == frozenset(formats)
    ]
    for each in ours:
        iconik.delete_custom_action(each.context, each.id)
        say("deleted", each.title, each.context)
    if not ours:
        about = f" for {in_words(formats)}" if formats else ""
        print(f"nothing to delete under {where.text}{about}")


if __name__ == "__main__":
    raise SystemExit(main())
