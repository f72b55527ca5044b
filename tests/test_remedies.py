"""What a person can do about what came to nothing."""

import pytest

from outcomes import COUNTED, LEFT, NOT_COME_TO
from reasons import KINDS
from remedies import REMEDIES, USUAL, about_failure, what_to_do

NOTHING_TO_DO = {"newer_click", "unverified", "was_missing"}


def test_every_kind_of_reason_has_a_remedy_unless_nothing_is_to_be_done() -> None:
    assert {kind for _, kind in KINDS} - NOTHING_TO_DO == set(REMEDIES)


@pytest.mark.parametrize(
    ("kind", "reason", "part"),
    [
        ("kept", "clip.mov differs from its master: 2 bytes", "put the master back"),
        ("kept", "clip.mov is still being written on LucidLink (GROWING)", "Try again when it is"),
        ("failed", "iconik does not permit it (403, it needs can_read_files)", "administrator"),
        ("vanished", "iconik knows the asset no more", "Nothing, if it was deleted on purpose"),
        ("failed", "something nobody has thought of", USUAL),
        ("undone", LEFT, "jobs list"),
        ("undone", NOT_COME_TO, "when you want it done"),
    ],
)
def test_what_came_to_nothing_has_a_remedy(kind: str, reason: str, part: str) -> None:
    assert part in what_to_do(kind, reason)


def test_what_is_half_deleted_is_not_to_be_purged_where_its_master_is_missing() -> None:
    reason = "clip.mov is MISSING on B2, …: restore it from iconik's delete queue"
    assert "do there what the reason says" in what_to_do("failed", reason)
    assert "purge" not in what_to_do("failed", reason)


@pytest.mark.parametrize("kind", sorted(set(COUNTED) - {"kept", "failed", "vanished"}))
def test_what_went_as_it_should_has_none(kind: str) -> None:
    assert what_to_do(kind, "") == ""


@pytest.mark.parametrize(
    ("failure", "part"),
    [
        ("could not list: iconik accepts no token any more (401)", "click again in iconik"),
        ("iconik gave no usable answer for too long: could not list", "away for too long"),
        ("it was interrupted by a fault; click again", "whoever runs the service"),
        ("could not list: iconik does not permit it (403)", "administrator"),
        ("the B2 storage 'Masters' is INACTIVE: activate it", USUAL),
    ],
)
def test_what_failed_as_a_whole_has_a_remedy(failure: str, part: str) -> None:
    assert part in about_failure(failure)
