"""What a person can do about what came to nothing."""

import pytest

from b2_iconik.domain.outcomes import COUNTED
from b2_iconik.domain.reasons import Cause
from b2_iconik.report.advice import REMEDIES, USUAL, what_to_do

NOTHING_TO_DO = {Cause.NEWER_CLICK, Cause.UNVERIFIED, Cause.WAS_MISSING}


def test_every_cause_has_a_remedy_unless_nothing_is_to_be_done() -> None:
    assert set(Cause) - NOTHING_TO_DO == set(REMEDIES)


@pytest.mark.parametrize("kind", ["kept", "failed", "vanished", "undone"])
def test_what_came_to_nothing_has_the_remedy_of_its_cause(kind: str) -> None:
    assert what_to_do(kind, Cause.DIFFERS) == REMEDIES[Cause.DIFFERS]


def test_what_came_to_nothing_without_a_known_cause_has_the_usual_remedy() -> None:
    assert what_to_do("failed", None) == USUAL


def test_what_is_half_deleted_is_not_to_be_purged_where_its_master_is_missing() -> None:
    assert "do what the reason says" in REMEDIES[Cause.HALF_DELETED]
    assert "purge" not in REMEDIES[Cause.HALF_DELETED]


@pytest.mark.parametrize("kind", sorted(set(COUNTED) - {"kept", "failed", "vanished"}))
def test_what_went_as_it_should_has_none(kind: str) -> None:
    assert what_to_do(kind, None) == ""
