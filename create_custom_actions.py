"""Create the custom actions in iconik, or update those that exist."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from b2_iconik.common.errors import ClickError, OperationFailed
from b2_iconik.common.settings import Settings
from b2_iconik.common.texts import plain
from b2_iconik.domain.click import CONTEXTS, SECRET_HEADER, USUAL_CONTEXTS, check_path
from b2_iconik.domain.keeping import as_text, parse_keep
from b2_iconik.setup import action_url
from b2_iconik.setup.action_table import overview
from b2_iconik.setup.action_url import Endpoint, Existing
from b2_iconik.setup.command_line import (
    Parser,
    add_dry_run,
    add_endpoint,
    add_formats,
    add_insecure,
    add_storages,
    check_is_safe,
    in_words,
    run,
    say,
)
from b2_iconik.setup.menu_entry import PREVIEW, USUAL, Entry
from b2_iconik.setup.storage_choice import choose, shortcomings
from iconik import Iconik
from iconik_http.records import Storage

DONE = ("created", "updated", "deleted")
DRY = ("would create", "would update", "would delete")
PROGRAM = "create_custom_actions.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script.

    Args:
        argv: the options; those of the command line if not given.

    Returns:
        The exit code: 0, 1 after a failure, 130 when interrupted.

    Raises:
        SystemExit: the options are invalid (2), or help was requested (0).
    """
    parser = Parser(PROGRAM, __doc__)
    add_endpoint(parser)
    add_storages(parser, "in iconik", is_required=True)
    add_formats(parser)
    parser.add_argument(
        "--path",
        type=_path,
        metavar="DIR",
        help="directory of the LucidLink storage into which Add puts copies",
    )
    parser.add_argument(
        "--context",
        action="append",
        choices=CONTEXTS,
        default=[],
        help=f"another context besides {in_words(USUAL_CONTEXTS)}; may be repeated",
    )
    parser.add_argument(
        "--preview",
        action="append_const",
        const=PREVIEW,
        dest="entries",
        default=[],
        help=f"also create '{PREVIEW.title}', which changes nothing",
    )
    parser.add_argument(
        "--keep",
        action="append",
        type=_keep,
        dest="entries",
        default=[],
        metavar="TIME",
        help="also create an Add whose assets are removed after this time, like 12h, 14d or 2w; "
        "may be repeated",
    )
    parser.add_argument(
        "--keep-field",
        action="append",
        type=_keep_field,
        dest="entries",
        default=[],
        metavar="NAME",
        help=f"also create '{Entry('add', keep_field='NAME').title}', whose assets are removed "
        "after as many days as this metadata field says",
    )
    add_dry_run(parser)
    add_insecure(parser)
    options = parser.parse_args(argv)
    check_is_safe(parser, options)
    return run(PROGRAM, options, _work)


def _work(options: argparse.Namespace, settings: Settings, iconik: Iconik) -> None:
    b2, ll = (
        choose(iconik, f"--{name}", getattr(options, name))
        for name in ("b2_storage_id", "ll_storage_id")
    )
    print(f"B2 storage: {plain(b2.name)}\nLucidLink storage: {plain(ll.name)}", flush=True)
    problems = shortcomings(b2, ll)
    if problems:
        raise OperationFailed("; ".join(problems))
    existing = action_url.ours(options.endpoint, iconik.custom_actions())
    actions = wanted(options, (b2, ll), settings, (*USUAL, *options.entries))
    optional = wanted(options, (b2, ll), settings, (each.target.entry for each in existing))
    create(iconik, existing, actions, options.endpoint, optional, is_dry=options.dry_run)
    existing = action_url.ours(options.endpoint, iconik.custom_actions())
    if options.dry_run:
        print("nothing was changed")
    print(f"\n{overview(options.endpoint, existing, {each.id: each.name for each in (b2, ll)})}")


def wanted(
    options: argparse.Namespace,
    storages: tuple[Storage, Storage],
    told: Settings,
    entries: Iterable[Entry],
) -> list[dict[str, Any]]:
    """Return the custom actions that iconik should have for menu entries, as request bodies.

    Args:
        options: name the service, the formats, the path, and the contexts.
        storages: the Backblaze B2 storage and the LucidLink storage.
        told: contain the shared secret and the application's id.
    """
    b2, ll = storages
    formats, path = options.formats, options.path or ""
    suffix = f" ({in_words(formats)})" if formats else ""
    return [
        {
            "context": context,
            "title": entry.title + suffix,
            "type": "POST",
            "url": action_url.build(
                options.endpoint,
                entry,
                b2.id,
                ll.id,
                formats,
                path if entry.action == "add" else "",
            ),
            "headers": {SECRET_HEADER: told.secret},
            "app_id": told.iconik_id,
        }
        for entry in dict.fromkeys(entries)
        for context in dict.fromkeys((*USUAL_CONTEXTS, *options.context))
    ]


def create(
    iconik: Iconik,
    existing: Sequence[Existing],
    actions: Sequence[dict[str, Any]],
    where: Endpoint,
    optional: Sequence[dict[str, Any]],
    *,
    is_dry: bool = False,
) -> None:
    """Create or update each custom action so that iconik has it exactly once, and report changes.

    Args:
        existing: the service's actions in iconik.
        actions: from ``wanted``. An action that also exists in other contexts is updated there too:
            with an old secret, it would not work.
        optional: actions that are updated wherever they exist, for the same reason, and not
            created.
        is_dry: whether to only report the changes.

    Raises:
        IconikError: iconik is unavailable or refuses. The changes reported before are complete.
    """
    create, update, delete = DRY if is_dry else DONE
    actions = [*actions, *_elsewhere(existing, actions, where, optional)]
    kept = set()
    for action in actions:
        same = _same(existing, action, where)
        if same:
            kept.add(same[0].id)
            if not is_dry:
                iconik.update_custom_action(same[0].id, action | _chosen_in_iconik(same[0]))
            say(update, action["title"], action["context"])
        else:
            if not is_dry:
                iconik.create_custom_action(action)
            say(create, action["title"], action["context"])
    if not is_dry:
        # Read again: a creation whose answer was lost has been repeated, so there may be
        # duplicates.
        existing = action_url.ours(where, iconik.custom_actions())
    for action in actions:
        same = sorted(_same(existing, action, where), key=lambda each: each.id not in kept)
        for duplicate in same[1:]:
            if not is_dry:
                iconik.delete_custom_action(duplicate.context, duplicate.id)
            say(f"{delete} a duplicate of", action["title"], action["context"])


def _same(existing: Sequence[Existing], action: dict[str, Any], where: Endpoint) -> list[Existing]:
    """Return the existing actions with the same purpose, whatever their title and secret."""
    key = (action["context"], action_url.read(where, action["url"]))
    return [each for each in existing if (each.context, each.target) == key]


def _chosen_in_iconik(existing: Existing) -> dict[str, Any]:
    """Return what an update must not reset: somebody has set it in iconik."""
    return {"metadata_view": existing.metadata_view} if existing.metadata_view else {}


def _elsewhere(
    existing: Sequence[Existing],
    actions: Sequence[dict[str, Any]],
    where: Endpoint,
    optional: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return the wanted and optional actions for the other contexts in which iconik has them."""
    wanted_there = {(each["context"], action_url.read(where, each["url"])) for each in actions}
    models = {action_url.read(where, each["url"]): each for each in (*actions, *optional)}
    found = dict.fromkeys(
        (each.context, each.target)
        for each in existing
        if each.target in models
        and each.context in CONTEXTS
        and (each.context, each.target) not in wanted_there
    )
    return [{**models[target], "context": context} for context, target in found]


def _keep(text: str) -> Entry:
    try:
        return Entry("add", keep=as_text(parse_keep(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _keep_field(text: str) -> Entry:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("must be the name of a metadata field")
    return Entry("add", keep_field=text)


def _path(text: str) -> str:
    try:
        return check_path(text)
    except ClickError as error:
        raise argparse.ArgumentTypeError(error.problem) from None


if __name__ == "__main__":
    raise SystemExit(main())
