"""The texts of an operation's job in iconik's list, as fields of JobSchema. Pure.

The users who clicked read them: what is being done, to what, how far it is, and the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from b2_iconik.domain.advice import what_to_do
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import (
    bytes_in_words,
    capitalized,
    in_words,
    many,
    proofs_in_words,
)
from b2_iconik.domain.problems import in_lines

Fields = dict[str, Any]

MOST_NAMED = 3
LONGEST_NAME = 40
MOST_TIED = 100
LONGEST_MESSAGE = 1_000
# The field of a job's metadata that holds the operation's id.
OPERATION = "operation_id"
ENDINGS = {
    "done": "FINISHED",
    "nothing to do": "FINISHED",
    "partly done": "FINISHED_WITH_WARNING",
    "failed": "FAILED",
    "stopped": "ABORTED",
}


def title(click: CustomAction, total: int | None, names: Sequence[str], others: int) -> str:
    """The title: 'Remove from LucidLink: 12 assets (beach, pier, market and 9 more)'.

    Args:
        total: how many assets the operation covers; None while that isn't known.
        names: titles of selected objects, or of some of them.
        others: how many more objects were selected.
    """
    what = click.selection if total is None else many(total, "asset")
    shown = ", ".join(_short(each) for each in names)
    more = f" and {others} more" if shown and others else ""
    return f"{click.title}: {what}{f' ({shown}{more})' if shown else ''}"


def tie(click: CustomAction, asset_ids: Sequence[str]) -> Fields:
    """The objects that the job is linked to: the selected collections and assets, or some of them.

    Args:
        asset_ids: assets to link if only a saved search or a playlist was selected.
    """
    subjects = [(each, "collections") for each in click.collection_ids]
    subjects += [(each, "assets") for each in click.asset_ids]
    subjects = subjects or [(each, "assets") for each in asset_ids]
    objects = [{"object_id": each, "object_type": kind} for each, kind in subjects[:MOST_TIED]]
    if not objects:
        return {}
    return objects[0] if len(objects) == 1 else {"related_objects": objects}


def under_way(operation: Operation, states: Mapping[str, int]) -> Fields:
    """The progress of an operation.

    Args:
        states: how many of its assets are in each state.
    """
    if not operation.is_expanded:
        return {"message": f"listing the assets of the selection: {operation.selection}"}
    total, done = sum(states.values()), states.get("done", 0)
    # The number of assets being inspected changes all the time, and says little.
    doing = f", {states['copying']} being copied" if states.get("copying") else ""
    return {
        "progress_total": total,
        "progress_processed": done,
        "message": f"{done} of {many(total, 'asset')} done{doing}",
    }


def ended(operation: Operation, told: Mapping[str, Any], titles: Mapping[str, str]) -> Fields:
    """The result of an operation: how much was done, who clicked, what was not done, and why.

    Args:
        told: its report, from ``outcomes.report``.
        titles: the titles of assets by id, as far as they are known.
    """
    status, sizes = ENDINGS[told["result"]], bytes_in_words(told)
    assets = told["counts"]["assets"]
    proofs = proofs_in_words(told["counts"])
    person = operation.requested_by or operation.user_name
    stopped = f"Stopped by {told['stopped_by']}" if status == "ABORTED" else ""
    sentences = [
        stopped,
        in_words(told) + (f" ({sizes})" if sizes else ""),
        f"Proven safe: {proofs}" if proofs else "",
        capitalized(told["undo"] or ""),
        f"Requested by {person}" if person else "",
    ]
    problems = list(in_lines(operation, told["problems"], titles))
    if told["failure"]:
        problems = [told["failure"], f"What to do: {what_to_do('failed', told['failure'].cause)}"]
    fields: Fields = {"status": status, "progress_total": assets, "progress_processed": assets}
    if status == "FAILED":
        fields["error_message"] = _cut(_joined(problems))
        problems = []
    return {**fields, "message": _cut(_joined([*sentences, *problems]))}


def _joined(sentences: Iterable[str]) -> str:
    return ". ".join(each.removesuffix(".") for each in sentences if each)


def linked(fields: Fields, link: str | None) -> Fields:
    """Add to the message of a job a link to the operation's page, if there is one."""
    return {**fields, "message": f"{fields['message']}. Report: {link}"} if link else fields


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _cut(message: str) -> str:
    if len(message) <= LONGEST_MESSAGE:
        return message
    return f"{message[: LONGEST_MESSAGE - 1]}…"
