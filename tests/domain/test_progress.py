"""What is stored of an asset, and read back."""

import json

import pytest

from b2_iconik.domain.custody import Safe, judge
from b2_iconik.domain.progress import LISTING_LAG_MS, AssetProgress, Deletion
from b2_iconik.domain.reasons import Cause, Reason
from tests.makers import B2, LL, ORIGINAL, on_b2, on_ll

LL_SET = on_ll().file_set_id


def stored(progress: AssetProgress) -> AssetProgress:
    """A progress after it was stored."""
    return AssetProgress.from_json(json.loads(json.dumps(progress.as_json())))


def a_proof() -> Safe:
    files = [on_ll(checksum="a" * 32), on_b2(checksum="a" * 32), on_ll("b.mov"), on_b2("b.mov")]
    (safe,) = judge(ORIGINAL, files, LL, B2)
    assert isinstance(safe, Safe)
    return safe


@pytest.mark.parametrize(
    "begun",
    [
        Deletion("ORIGINAL"),
        Deletion("ORIGINAL", a_proof()),
        Deletion("ORIGINAL", a_proof(), "signed URL"),
        Deletion("ORIGINAL", accepted_ms=5, is_doubted=True),
    ],
)
def test_a_deletion_is_read_as_it_was_stored(begun: Deletion) -> None:
    progress = AssetProgress(deletions={LL_SET: begun}, copy_results={"PROXY": None})
    assert stored(progress) == progress


def test_what_is_unfinished_is_read_as_it_was_stored() -> None:
    progress = AssetProgress(unfinished="beach.mov has been growing", unfinished_ms=5)
    assert stored(progress) == progress


def test_a_proof_is_read_with_all_of_its_files() -> None:
    begun = stored(AssetProgress(deletions={LL_SET: Deletion("ORIGINAL", a_proof())})).deletions[
        LL_SET
    ]
    assert begun.proof
    assert begun.proof.pairs == a_proof().pairs
    assert begun.proof.size == a_proof().size


def test_no_signed_url_is_stored() -> None:
    (safe,) = judge(ORIGINAL, [on_ll(url="https://s3cret"), on_b2(url="https://s3cret")], LL, B2)
    assert isinstance(safe, Safe)
    assert "s3cret" not in json.dumps(
        AssetProgress(deletions={LL_SET: Deletion("A", safe)}).as_json()
    )


def test_what_an_earlier_version_stored_is_read() -> None:
    earlier = {"deleting": {LL_SET: "ORIGINAL"}, "versions": {LL_SET: ORIGINAL}, "failures": 2}
    assert AssetProgress.from_json(earlier) == AssetProgress(
        deletions={LL_SET: Deletion("ORIGINAL")}, failures=2
    )


def test_what_an_earlier_version_stored_of_copies_is_read() -> None:
    earlier = {"asked": {"ORIGINAL": "no space left", "PROXY": ""}, "asking": True}
    progress = AssetProgress.from_json(earlier)
    assert progress.copy_results == {"ORIGINAL": Reason("no space left"), "PROXY": None}
    assert progress.unanswered_until_ms == 1 + LISTING_LAG_MS


def test_what_a_listing_suggests_is_read_as_it_was_stored() -> None:
    progress = AssetProgress(format_names={"f2": "ORIGINAL", "f1": "PROXY"}, ready=("ORIGINAL",))
    assert stored(progress) == progress


def test_formats_are_read_in_the_order_in_which_they_were_stored() -> None:
    progress = AssetProgress(format_names={"f2": "ORIGINAL", "f1": "ORIGINAL"})
    assert list(stored(progress).format_names) == ["f2", "f1"]


@pytest.mark.parametrize("key", ["formats", "hint"])
def test_what_an_earlier_version_stored_only_to_save_requests_is_dropped(key: str) -> None:
    earlier = {key: {"ORIGINAL": ORIGINAL}, "failures": 2}
    assert AssetProgress.from_json(earlier) == AssetProgress(failures=2)


def test_why_a_copy_was_refused_is_read_as_it_was_stored() -> None:
    refused = Reason("no role", Cause.NOT_PERMITTED)
    read = stored(AssetProgress(copy_results={"PROXY": refused})).copy_results["PROXY"]
    assert read is not None
    assert read.cause == Cause.NOT_PERMITTED


def test_deletions_are_told_apart_by_whether_iconik_accepted_them() -> None:
    accepted, unfinished = Deletion("ORIGINAL", accepted_ms=1), Deletion("ORIGINAL")
    progress = AssetProgress(deletions={"a": accepted, "b": unfinished})
    assert (progress.accepted, progress.unaccepted) == ({"a": accepted}, {"b": unfinished})
