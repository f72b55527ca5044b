"""What a preview of a removal reports of one asset, and that it changes nothing."""

from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.operation import ClaimedAsset
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import NO_REASON, Cause
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.execution import process_preview
from b2_iconik.operation.snapshot import Patience
from iconik_http.records import DELETED
from tests.makers import (
    ASSET,
    FakeIconik,
    a_check,
    a_click,
    a_removal,
    a_term,
    expanded,
    half_done,
    on_b2,
    on_ll,
)

NOW = 1_000_000
LL_SET = on_ll().file_set_id
READS = {"formats", "files", "file_sets", "asset_exists"}


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def claims(engine: sa.Engine) -> Claims:
    return Claims(engine, expanded(engine, a_click("preview")), a_term(engine))


@pytest.fixture
def claimed(claims: Claims) -> ClaimedAsset:
    (claimed,) = claims.take(1, NOW)
    return claimed


def previewed(iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, **removal: Any) -> Outcome:
    """What is reported of the only format. Iconik was only read from."""
    result = process_preview(a_removal(iconik, claims, **removal), claimed, Patience(NOW, 0))
    assert {call[0] for call in iconik.calls} <= READS
    assert (result.copies, result.marked, result.unfinished) == ((), (), "")
    (outcome,) = result.outcomes.values()
    return outcome


def test_what_is_proven_safe_is_removable(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    found = previewed(iconik, claimed, claims)
    assert (found, found.size) == (Outcome("removable", NO_REASON, "size"), 1000)
    assert claimed.seen
    assert claimed.progress.deletions == {}


def test_what_b2_lacks_would_first_be_copied_there(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll())
    found = previewed(iconik, claimed, claims)
    assert (found.kind, found.size) == ("uncopied", 1000)
    assert found.reason == "clip.mov has no matching file on B2"


def test_what_cannot_be_copied_to_b2_is_kept(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll())
    found = previewed(iconik, claimed, claims, preflight=lambda: a_check(obstacle="it is closed"))
    assert (found.kind, found.reason.cause) == ("kept", Cause.STORAGE_CLOSED)


def test_what_differs_is_kept(iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims) -> None:
    iconik.has(on_ll(), on_b2(size=999))
    found = previewed(iconik, claimed, claims)
    assert (found.kind, found.reason.cause, found.size) == ("kept", Cause.DIFFERS, 1000)


def test_what_is_still_being_written_is_not_waited_for(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(status="GROWING"), on_b2())
    found = previewed(iconik, claimed, claims)
    assert found == Outcome("kept", found.reason)
    assert found.reason == "clip.mov is still being written on LucidLink (GROWING)"


def test_what_is_not_on_lucidlink_is_absent(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_b2())
    assert previewed(iconik, claimed, claims) == Outcome("absent")


def test_a_file_set_without_files_is_kept(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_b2())
    iconik.known_statuses[ASSET] = {"set-without-files": "ACTIVE"}
    found = previewed(iconik, claimed, claims)
    assert (found.kind, found.reason.cause) == ("kept", Cause.UNCLEAR_RECORDS)


def test_an_asset_may_lack_the_format(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_b2())
    claimed.formats = ("OTHER",)
    assert previewed(iconik, claimed, claims) == Outcome("without")


def test_an_asset_that_is_gone_has_vanished(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    assert previewed(iconik, claimed, claims).kind == "vanished"


@pytest.mark.parametrize("name", ["ORIGINAL", "PROXY"])
def test_what_another_operation_has_begun_to_delete_is_left_to_it(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, name: str
) -> None:
    both = ("ORIGINAL", "PROXY")
    remove = Claims(engine, expanded(engine, a_click("remove", formats=both)), a_term(engine))
    (theirs,) = remove.take(1, NOW)
    assert remove.begin_deletions(theirs, half_done({LL_SET: name}))
    iconik.has(on_ll(file_set_status=DELETED), on_b2())
    found = previewed(iconik, claimed, claims)
    if name == "PROXY":
        assert found == Outcome("absent")
        return
    assert (found.kind, found.reason.cause) == ("kept", Cause.BEING_DELETED)
    assert LL_SET in found.reason
    assert claimed.progress.deletions == {}
    assert claims.being_deleted(ASSET) == {"ORIGINAL": LL_SET}
