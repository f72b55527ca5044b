"""Whether the two storages can do their part, seen before anything is asked of them."""

from custom_action import CustomAction
from errors import NotFound, OperationFailed
from iconik import Iconik
from records import B2, Storage

ANOTHER = "create the custom actions again with another storage"


def check(iconik: Iconik, click: CustomAction) -> str:
    """See that an operation can come to something.

    Returns:
        Why nothing can be copied to B2, which Remove may need; "" if it can.

    Raises:
        OperationFailed: nothing can come of it; the message says what to change in iconik.
        IconikError: iconik gave no usable answer, or refused.
    """
    b2 = _storage(iconik, "B2", click.b2_storage_id)
    ll = _storage(iconik, "LucidLink", click.ll_storage_id)
    # Whatever the set-up has seen: the URL of an action can be changed by hand, and with the two
    # exchanged the masters would be deleted.
    if ll.method == B2:
        raise OperationFailed(_of_another_method("LucidLink", ll))
    if click.action == "remove" and b2.method != B2:
        raise OperationFailed(_of_another_method("B2", b2))
    if click.action == "add" and not (b2.allows("read") and ll.allows("write")):
        raise OperationFailed(
            "nothing can be copied to LucidLink: in iconik's storage settings, allow to read "
            f"'{b2.name}' and to write '{ll.name}'"
        )
    if click.action == "remove" and not ll.allows("delete"):
        raise OperationFailed(
            "nothing can be deleted from LucidLink: in iconik's storage settings, allow to delete "
            f"on '{ll.name}'"
        )
    if ll.allows("read") and b2.allows("write"):
        return ""
    return (
        "nothing can be copied there: in iconik's storage settings, allow to read "
        f"'{ll.name}' and to write '{b2.name}'"
    )


def _storage(iconik: Iconik, kind: str, storage_id: str) -> Storage:
    try:
        storage = iconik.storage(storage_id)
    except NotFound:
        raise OperationFailed(
            f"iconik knows no storage {storage_id}, which the custom action gives as its {kind} "
            "storage: create the custom actions again with the right ids"
        ) from None
    if storage.purpose not in ("", "FILES"):
        raise OperationFailed(
            f"the {kind} storage '{storage.name}' is for {storage.purpose}, not for FILES: "
            f"{ANOTHER}"
        )
    if storage.status == "INACTIVE":
        raise OperationFailed(
            f"the {kind} storage '{storage.name}' is INACTIVE: activate it in iconik's storage "
            f"settings, or {ANOTHER}"
        )
    return storage


def _of_another_method(kind: str, storage: Storage) -> str:
    method = storage.method or "unknown"
    return (
        f"the custom action gives '{storage.name}' as its {kind} storage, but its method is "
        f"{method}: create the custom actions again with the right ids"
    )
