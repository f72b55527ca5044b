"""What a preview of a removal reports of one asset, and that it changes nothing."""

from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import NO_REASON, Cause
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.execution import process_preview
from b2_iconik.operation.snapshot import Patience
from iconik_http.records import DELETED
from tests.makers import ASSET, a_click, a_term, expanded, half_done, on_b2, on_ll
from tests.operation.benches import NOW, AssetBench, a_check

LL_SET = on_ll().file_set_id
READS = {"formats", "files", "file_sets", "asset_exists"}


@pytest.fixture
def bench(engine: sa.Engine) -> AssetBench:
    return AssetBench(engine, a_click("preview"))


def previewed(bench: AssetBench, **removal: Any) -> Outcome:
    """What is reported of the only format. Iconik was only read from."""
    result = process_preview(bench.removal(**removal), bench.claimed, Patience(NOW, 0))
    assert {call[0] for call in bench.iconik.calls} <= READS
    assert (result.copies, result.marked, result.unfinished) == ((), (), "")
    (outcome,) = result.outcomes.values()
    return outcome


def test_what_is_proven_safe_is_removable(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    found = previewed(bench)
    assert (found, found.size) == (Outcome("removable", NO_REASON, "size"), 1000)
    assert bench.claimed.seen
    assert bench.claimed.progress.deletions == {}


def test_what_b2_lacks_would_first_be_copied_there(bench: AssetBench) -> None:
    bench.iconik.has(on_ll())
    found = previewed(bench)
    assert (found.kind, found.size) == ("uncopied", 1000)
    assert found.reason == "clip.mov has no matching file on B2"


def test_what_cannot_be_copied_to_b2_is_kept(bench: AssetBench) -> None:
    bench.iconik.has(on_ll())
    found = previewed(bench, preflight=lambda: a_check(obstacle="it is closed"))
    assert (found.kind, found.reason.cause) == ("kept", Cause.STORAGE_CLOSED)


def test_what_differs_is_kept(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2(size=999))
    found = previewed(bench)
    assert (found.kind, found.reason.cause, found.size) == ("kept", Cause.DIFFERS, 1000)


def test_what_is_still_being_written_is_not_waited_for(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(status="GROWING"), on_b2())
    found = previewed(bench)
    assert found == Outcome("kept", found.reason)
    assert found.reason == "clip.mov is still being written on LucidLink (GROWING)"


def test_what_is_not_on_lucidlink_is_absent(bench: AssetBench) -> None:
    bench.iconik.has(on_b2())
    assert previewed(bench) == Outcome("absent")


def test_a_file_set_without_files_is_kept(bench: AssetBench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.known_statuses[ASSET] = {"set-without-files": "ACTIVE"}
    found = previewed(bench)
    assert (found.kind, found.reason.cause) == ("kept", Cause.UNCLEAR_RECORDS)


def test_an_asset_may_lack_the_format(bench: AssetBench) -> None:
    bench.iconik.has(on_b2())
    bench.claimed.formats = ("OTHER",)
    assert previewed(bench) == Outcome("without")


def test_an_asset_that_is_gone_has_vanished(bench: AssetBench) -> None:
    assert previewed(bench).kind == "vanished"


@pytest.mark.parametrize("name", ["ORIGINAL", "PROXY"])
def test_what_another_operation_has_begun_to_delete_is_left_to_it(
    bench: AssetBench, name: str
) -> None:
    both = ("ORIGINAL", "PROXY")
    remove = Claims(
        bench.engine, expanded(bench.engine, a_click("remove", formats=both)), a_term(bench.engine)
    )
    (theirs,) = remove.take(1, NOW)
    assert remove.begin_deletions(theirs, half_done({LL_SET: name}))
    bench.iconik.has(on_ll(file_set_status=DELETED), on_b2())
    found = previewed(bench)
    if name == "PROXY":
        assert found == Outcome("absent")
        return
    assert (found.kind, found.reason.cause) == ("kept", Cause.BEING_DELETED)
    assert LL_SET in found.reason
    assert bench.claimed.progress.deletions == {}
    assert bench.claims.being_deleted(ASSET) == {"ORIGINAL": LL_SET}
