"""Find the storage that a user means, and check whether two storages suit their purposes."""

from collections.abc import Iterable, Sequence

from b2_iconik.common.errors import OperationFailed
from iconik import Iconik
from iconik_http.errors import NotFound
from iconik_http.records import UUID, Storage

FILES = "FILES"


def choose(iconik: Iconik, option: str, text: str) -> Storage:
    """Return the storage that a user means.

    Args:
        option: the option that names it, for messages.
        text: its id or its name. Case matters only if it distinguishes two storages.

    Raises:
        OperationFailed: no storage matches, or more than one. The message lists the choices.
        IconikError: iconik is unavailable or refuses.
    """
    if UUID.fullmatch(text):
        try:
            return iconik.storage(text.lower())
        except NotFound:
            raise OperationFailed(
                f"{option}: iconik has no storage {text}; available: {_listed(iconik.storages())}"
            ) from None
    storages = iconik.storages()
    named = [each for each in storages if each.name == text]
    named = named or [each for each in storages if each.name.casefold() == text.casefold()]
    if not named:
        raise OperationFailed(
            f"{option}: iconik has no storage '{text}'; available: {_listed(storages)}"
        )
    if len(named) > 1:
        raise OperationFailed(
            f"{option}: {len(named)} storages are named '{text}', so give the id of one: "
            f"{_listed(named)}"
        )
    # Read it as operations do: a listing may show less.
    return iconik.storage(named[0].id)


def shortcomings(b2: Storage, ll: Storage) -> list[str]:
    """Return why two storages don't suit their purposes, each reason with what to do.

    Args:
        b2: the intended Backblaze B2 storage.
        ll: the intended LucidLink storage.
    """
    if b2.id == ll.id:
        return [f"'{b2.name}' cannot be both storages"]
    # With swapped storages, Remove would delete the masters from B2.
    if ll.is_b2 and not b2.is_b2:
        return [f"the two storages are swapped: '{ll.name}' is the one on Backblaze B2"]
    found = []
    if not b2.is_b2:
        found.append(f"'{b2.name}' is not on Backblaze B2: its method is {b2.method or 'unknown'}")
    if ll.is_b2:
        found.append(f"'{ll.name}' is also on Backblaze B2, so it is not a LucidLink filespace")
    for storage, rights in ((b2, ("read", "write")), (ll, ("read", "write", "delete"))):
        if storage.purpose not in ("", FILES):
            found.append(
                f"the purpose of '{storage.name}' is {storage.purpose}: choose one for {FILES}"
            )
        if storage.status == "INACTIVE":
            found.append(f"'{storage.name}' is INACTIVE: activate it in iconik's storage settings")
        denied = [right for right in rights if not storage.allows(right)]
        if denied:
            found.append(
                f"'{storage.name}' does not allow {' and '.join(denied)} access: allow it in "
                "iconik's storage settings"
            )
    return found


def _listed(storages: Iterable[Storage]) -> str:
    lines: Sequence[str] = [
        f"'{each.name}' ({each.method} {each.purpose}, {each.id})"
        for each in sorted(storages, key=lambda each: each.name.casefold())
    ]
    return "; ".join(lines) or "none that the token may see"
