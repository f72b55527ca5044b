"""What a person can do about what came to nothing."""

import pytest

from b2_iconik.domain.advice import HEADINGS, REMEDIES, USUAL, causes_named, what_to_do
from b2_iconik.domain.outcomes import COUNTED
from b2_iconik.domain.reasons import Cause

ACTIONS = {
    "Allow", "Ask", "Check", "Click", "Compare", "Find", "Fix", "Follow", "Have", "Lift", "Look",
    "Open", "Restore", "Try", "Upload",
}  # fmt: skip
NOTHING_TO_DO = {Cause.NEWER_CLICK, Cause.UNVERIFIED, Cause.WAS_MISSING}


def test_every_cause_has_a_remedy_unless_nothing_is_to_be_done() -> None:
    assert set(Cause) - NOTHING_TO_DO == set(REMEDIES)


def test_every_cause_has_a_heading_of_its_own() -> None:
    assert set(HEADINGS) == set(Cause)
    assert len(set(HEADINGS.values())) == len(HEADINGS)


@pytest.mark.parametrize("remedy", [*REMEDIES.values(), USUAL])
def test_a_remedy_begins_with_what_to_do(remedy: str) -> None:
    assert remedy.split()[0].rstrip(".") in ACTIONS


@pytest.mark.parametrize("text", ["differs", "Differs from its  MASTER"])
def test_a_cause_is_named_by_its_value_or_its_heading(text: str) -> None:
    assert causes_named(text) == ["differs"]


@pytest.mark.parametrize("text", ["bad_twin", "Bad twin"])
def test_the_words_of_a_value_name_its_cause(text: str) -> None:
    assert causes_named(text) == ["bad_twin"]


def test_another_text_names_no_cause() -> None:
    assert causes_named("clip.mov") == []


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
