"""Create the custom actions in iconik, or bring them up to date where they exist."""

from collections.abc import Mapping, Sequence
from typing import Any

import action_url
from action_url import Endpoint, Existing
from command_line import Parser, add_common_options, in_words, run, say, storage_id
from custom_action import SECRET_HEADER, TITLES
from errors import NotFound, OperationFailed
from iconik import Iconik
from records import Storage
from settings import Settings

CONTEXTS = ("ASSET", "COLLECTION", "BULK")
PROGRAM = "create_custom_actions.py"


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
    for option, what in (("--b2_storage_id", "Backblaze B2"), ("--ll_storage_id", "LucidLink")):
        parser.add_argument(
            option,
            required=True,
            type=storage_id,
            metavar="ID",
            help=f"id of the {what} storage in iconik",
        )
    options = parser.parse_args(argv)
    b2, ll = options.b2_storage_id, options.ll_storage_id
    if b2 == ll:
        parser.error("argument --ll_storage_id: must be another storage than --b2_storage_id")

    def work(settings: Settings, iconik: Iconik) -> None:
        _check_storages(iconik, b2, ll)
        create(
            iconik, wanted(options.endpoint, b2, ll, options.formats, settings), options.endpoint
        )

    return run(PROGRAM, work)


def wanted(
    where: Endpoint, b2_storage_id: str, ll_storage_id: str, formats: Sequence[str], told: Settings
) -> list[dict[str, Any]]:
    """The custom actions that iconik is to have, as it takes them.

    Args:
        where: the service.
        formats: names of the formats; empty for those of the service's settings.
        told: has the shared secret and the application's id.
    """
    suffix = f" ({in_words(formats)})" if formats else ""
    return [
        {
            "context": context,
            "title": title + suffix,
            "type": "POST",
            "url": action_url.build(where, action, b2_storage_id, ll_storage_id, formats),
            "headers": {SECRET_HEADER: told.secret},
            "app_id": told.iconik_id,
        }
        for action, title in TITLES.items()
        for context in CONTEXTS
    ]


def create(iconik: Iconik, actions: Sequence[dict[str, Any]], where: Endpoint) -> None:
    """Have iconik hold each custom action once, and say what was done.

    Raises:
        IconikError: iconik can't, or won't; what was said to be done before is done.
    """
    held = action_url.ours(where, iconik.custom_actions())
    kept = set()
    for action in actions:
        same = _same(held, action, where)
        if same:
            iconik.update_custom_action(same[0].id, action)
            kept.add(same[0].id)
            say("updated", action["title"], action["context"])
        else:
            iconik.create_custom_action(action)
            say("created", action["title"], action["context"])
    # Looked at afresh: a creation whose answer got lost was asked for again.
    held = action_url.ours(where, iconik.custom_actions())
    for action in actions:
        same = sorted(_same(held, action, where), key=lambda each: each.id not in kept)
        for duplicate in same[1:]:
            iconik.delete_custom_action(duplicate.context, duplicate.id)
            say("deleted a duplicate of", action["title"], action["context"])


def _same(held: Sequence[Existing], action: Mapping[str, Any], where: Endpoint) -> list[Existing]:
    """Those that are there for the same thing, whatever their title and secret."""
    key = (action["context"], action_url.read(where, action["url"]))
    return [each for each in held if (each.context, each.target) == key]


def _check_storages(iconik: Iconik, b2_storage_id: str, ll_storage_id: str) -> None:
    b2 = _storage(iconik, "--b2_storage_id", b2_storage_id)
    ll = _storage(iconik, "--ll_storage_id", ll_storage_id)
    # Remove would then take the masters from B2.
    if ll.method == "B2" and b2.method != "B2":
        raise OperationFailed(
            f"the two storages are the wrong way round: '{ll.name}' is the one on Backblaze B2"
        )
    print(f"B2 storage: {b2.name}\nLucidLink storage: {ll.name}", flush=True)


def _storage(iconik: Iconik, option: str, storage_id: str) -> Storage:
    try:
        return iconik.storage(storage_id)
    except NotFound:
        raise OperationFailed(f"{option}: iconik knows no storage {storage_id}") from None


if __name__ == "__main__":
    raise SystemExit(main())
