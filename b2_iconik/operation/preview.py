"""What a preview reports: what a Remove would do with each format of an asset now. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from b2_iconik.domain.custody import Unproven, Verdict
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.operation.decisions import Decision


def outcomes(
    decisions: Mapping[str, Decision], verdicts: Mapping[str, Sequence[Verdict]]
) -> dict[str, Outcome]:
    """The outcomes of a preview by format name, except of formats that may be absent.

    A file that is still being written is kept: a Remove would wait for it, a preview does not.

    Args:
        decisions: those of a Remove.
        verdicts: what they rest on.
    """
    return {
        name: _outcome(each, verdicts[name])
        for name, each in decisions.items()
        if not each.is_absent
    }


def _outcome(decision: Decision, verdicts: Sequence[Verdict]) -> Outcome:
    if decision.outcome and decision.outcome.kind == "removed":
        return replace(decision.outcome, kind="removable")
    if decision.outcome:
        return decision.outcome
    remedy = "copy" if decision.copy else "wait"
    objections = (each for each in verdicts if isinstance(each, Unproven))
    reason = next(each.reason for each in objections if each.remedy == remedy)
    return Outcome("uncopied" if decision.copy else "kept", reason)
