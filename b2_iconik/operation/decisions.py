"""Decisions about the formats of an asset, and the result of acting on them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from b2_iconik.common.texts import plain
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.domain.reasons import VANISHED, Reason, joined

# The kinds of outcomes that concern files.
SIZED = frozenset(
    {"copied", "restored", "there", "removed", "removable", "uncopied", "kept", "failed"}
)
# By file set id, the format's name and why its deletion failed.
Failures = Mapping[str, tuple[str, Reason]]


@dataclass(frozen=True)
class Decision:
    """What to do with one format of an asset.

    Attributes:
        outcome: what to report, once the deletions are done; None while that is open.
        deletions: the file sets to delete, by id. A format that is kept because of one file set
            may have others that are proven safe.
        copy: whether to request a copy.
        unfinished: what is being written, as in ``AssetProgress``, so that the asset must be
            processed again later; "" if nothing is.
        unless_copied: whether the outcome holds only if no copy is under way, because a copy has
            ended without its file.
        is_absent: whether no file of the format is listed, so that its file sets must be.
    """

    outcome: Outcome | None = None
    deletions: Mapping[str, Deletion] = field(default_factory=dict)
    copy: bool = False
    unfinished: str = ""
    unless_copied: bool = False
    is_absent: bool = False


@dataclass(frozen=True)
class AssetResult:
    """The result of processing an asset once.

    Attributes:
        outcomes: the outcomes known now, by format name.
        unless_copied: outcomes that hold only if no copy is under way, by format name.
        copies: names of the formats whose copies must be requested.
        unfinished: what is being written, as in ``AssetProgress``, so that the asset must be
            processed again later; "" if nothing is.
        is_being_copied: unrecorded copies of the asset are under way, and are followed now.
        must_be_requeued: the asset must be claimed again, for example after a newer click.
        marked: the ids of file sets that are marked deleted, and whose files must still be purged.
        failures: the deletions that failed.
        until: the deadline for purging the marked file sets, by ``expiry.now``.
    """

    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    unless_copied: Mapping[str, Outcome] = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    unfinished: str = ""
    is_being_copied: bool = False
    must_be_requeued: bool = False
    marked: tuple[str, ...] = ()
    failures: Failures = field(default_factory=dict)
    until: float = 0.0

    def with_outcomes(self, outcomes: Mapping[str, Outcome]) -> "AssetResult":
        """This result with more outcomes, which replace those of the same formats."""
        return replace(self, outcomes={**self.outcomes, **outcomes})

    def with_sizes(self, sizes: Mapping[str, int | None]) -> "AssetResult":
        """This result with the sizes of formats, by name, where outcomes lack them."""

        def sized(outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
            return {
                name: each
                if each.size is not None or each.kind not in SIZED
                else replace(each, size=sizes.get(name))
                for name, each in outcomes.items()
            }

        return replace(self, outcomes=sized(self.outcomes), unless_copied=sized(self.unless_copied))

    def with_failures(self, failures: Failures) -> "AssetResult":
        """This result with more failed deletions.

        They are reported instead of the outcomes of other versions of the same formats.
        """
        every = {**self.failures, **failures}
        told = {
            name: Outcome("failed", joined(why for each, why in every.values() if each == name))
            for name in {name for name, _ in every.values()}
        }
        unless_copied = {
            name: told.get(name, outcome) for name, outcome in self.unless_copied.items()
        }
        return replace(self.with_outcomes(told), failures=every, unless_copied=unless_copied)


def result_of(decisions: Mapping[str, Decision]) -> AssetResult:
    """The result of the decisions about an asset's formats, before anything is done."""
    outcomes, unless_copied = dict[str, Outcome](), dict[str, Outcome]()
    for name, each in decisions.items():
        if each.outcome:
            (unless_copied if each.unless_copied else outcomes)[name] = each.outcome
    return AssetResult(
        outcomes,
        unless_copied,
        copies=tuple(name for name, each in decisions.items() if each.copy),
        unfinished=next(filter(None, (each.unfinished for each in decisions.values())), ""),
    )


def progress_after(progress: AssetProgress, result: AssetResult, now_ms: int) -> AssetProgress:
    """The progress of an asset, with what of it is unfinished, and since when."""
    if result.copies:
        return replace(progress, unfinished_ms=None, unfinished="")
    if result.unfinished:
        since_ms = now_ms if progress.unfinished_ms is None else progress.unfinished_ms
        return replace(progress, unfinished_ms=since_ms, unfinished=plain(result.unfinished))
    return progress


def vanished(formats: Iterable[str]) -> AssetResult:
    """The result for an asset that no longer exists in iconik."""
    return AssetResult({name: Outcome("vanished", VANISHED) for name in formats})
