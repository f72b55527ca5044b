"""Which assets a click is about: its collections and saved searches, opened to any depth."""

from collections.abc import Callable, Iterable

from custom_action import CustomAction
from errors import IconikRefused, NotFound, TokenRejected
from iconik import Iconik


def expand(
    click: CustomAction, iconik: Iconik, check: Callable[[], None]
) -> tuple[list[str], dict[str, str]]:
    """List the assets of a selection, each once.

    Args:
        check: called before each request; may raise to stop.

    Returns:
        The assets' ids, and why a collection or saved search could not be opened, by its name.

    Raises:
        IconikUnavailable: iconik gave no usable answer.
        TokenRejected: iconik accepts no token any more.
    """
    assets = dict.fromkeys(click.asset_ids)
    seen = dict.fromkeys(click.collection_ids)
    gone: dict[str, str] = {}

    def take(kind: str, of: str, contents: Iterable[tuple[str, str]]) -> None:
        check()
        try:
            for object_type, object_id in contents:
                if object_type == "assets":
                    assets[object_id] = None
                elif object_type == "collections" and object_id not in seen:
                    seen[object_id] = None
                    to_open.append(object_id)
        except NotFound:
            gone[f"{kind} {of}"] = f"iconik knows the {kind} no more"
        except TokenRejected:
            raise
        except IconikRefused as refusal:
            gone[f"{kind} {of}"] = str(refusal)

    to_open = list(seen)
    for search_id in click.saved_search_ids:
        take("saved search", search_id, iconik.saved_search_results(search_id))
    while to_open:
        collection_id = to_open.pop()
        take("collection", collection_id, iconik.collection_contents(collection_id))
    return list(assets), gone
