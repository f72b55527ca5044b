"""What Add does with one asset, in front of an iconik in memory."""

from dataclasses import replace

import pytest

from b2_iconik.domain.operation import AssetProgress, ClaimedAsset
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.execution import process_add
from b2_iconik.operation.snapshot import Patience
from iconik_http.errors import IconikUnavailable, NotPermitted
from iconik_http.records import File
from tests.makers import ASSET, LL, ORIGINAL, FakeIconik, a_format, half_done, on_b2, on_ll

NOW = 1_000_000
SETTLE = 60_000
NO_SOURCE = "no storage has a complete set of its files to copy to LucidLink"


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def claimed() -> ClaimedAsset:
    return ClaimedAsset(ASSET, ("ORIGINAL",), AssetProgress())


def look(iconik: FakeIconik, claimed: ClaimedAsset) -> AssetResult:
    return process_add(iconik, claimed, LL, Patience(NOW, SETTLE))


def test_what_is_lacking_is_copied(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=5)
    iconik.has(on_b2())
    assert look(iconik, claimed) == AssetResult(copies=("ORIGINAL",))
    assert claimed.progress.unfinished_ms is None


def test_what_is_there_needs_no_copy(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    iconik.has(on_b2(), on_ll())
    assert look(iconik, claimed) == AssetResult({"ORIGINAL": Outcome("there")})


def test_what_a_copy_brought_is_told(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    iconik.has(on_b2(), on_ll())
    assert look(iconik, claimed) == AssetResult({"ORIGINAL": Outcome("copied")})


@pytest.mark.parametrize(
    ("requested", "files", "size"),
    [
        (False, [on_b2(size=7), on_ll(size=5)], 5),
        (True, [on_b2(size=7), on_ll(size=7)], 7),
        (True, [on_b2(size=7)], 7),
    ],
    ids=["there", "copied", "failed"],
)
def test_an_outcome_has_the_size_of_its_files(
    iconik: FakeIconik, claimed: ClaimedAsset, requested: bool, files: list[File], size: int
) -> None:
    if requested:
        claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    iconik.has(*files)
    found = look(iconik, claimed)
    assert {**found.outcomes, **found.unless_copied}["ORIGINAL"].size == size


def test_a_copy_of_which_a_part_has_arrived_has_failed(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    iconik.has(on_b2(size=200_000), on_ll(size=100_000))
    reason = "clip.mov: 100 KB of 200 KB arrived on LucidLink"
    assert look(iconik, claimed) == AssetResult(
        unless_copied={"ORIGINAL": Outcome("failed", Reason(reason))}
    )


def test_what_iconik_said_of_a_copy_is_told_with_what_arrived(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": Reason("no space left")})
    iconik.has(on_b2(size=2000), on_ll(size=1000))
    reason = "clip.mov: 1 KB of 2 KB arrived on LucidLink: no space left"
    assert look(iconik, claimed).unless_copied == {"ORIGINAL": Outcome("failed", Reason(reason))}


def test_what_was_there_before_may_have_been_edited(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    iconik.has(on_b2(size=2000), on_ll(size=1000))
    assert look(iconik, claimed) == AssetResult({"ORIGINAL": Outcome("there")})


def test_a_format_that_the_asset_lacks_is_not_asked_for(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    iconik.has(on_b2(), formats=[a_format("PROXY")])
    assert look(iconik, claimed) == AssetResult({"ORIGINAL": Outcome("without")})


def test_an_asset_that_iconik_knows_no_more_is_told(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    assert look(iconik, claimed).outcomes["ORIGINAL"].kind == "vanished"


@pytest.mark.parametrize("files", [[], [on_b2(status="MISSING")], [on_b2(size=0)]])
def test_no_copy_is_asked_for_that_is_bound_to_fail(
    iconik: FakeIconik, claimed: ClaimedAsset, files: list[File]
) -> None:
    iconik.has(*files)
    assert look(iconik, claimed) == AssetResult({"ORIGINAL": Outcome("failed", Reason(NO_SOURCE))})


def test_what_is_being_written_is_waited_for(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    iconik.has(on_b2(), on_ll(status="OPEN"))
    unfinished = "clip.mov has been unfinished on LucidLink (OPEN)"
    assert look(iconik, claimed) == AssetResult(unfinished=unfinished)
    assert claimed.progress.unfinished_ms == NOW
    assert claimed.progress.unfinished == unfinished


def test_how_long_it_was_waited_is_not_forgotten(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - 1)
    iconik.has(on_b2(), on_ll(status="OPEN"))
    look(iconik, claimed)
    assert claimed.progress.unfinished_ms == NOW - 1


def test_what_is_never_finished_is_copied_once(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - SETTLE)
    iconik.has(on_b2(), on_ll(status="OPEN"))
    assert look(iconik, claimed) == AssetResult(copies=("ORIGINAL",))


def test_what_a_copy_never_finished_has_failed(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - SETTLE)
    iconik.has(on_b2(), on_ll(status="OPEN"))
    reason = (
        "the copy to LucidLink has ended, but clip.mov has been unfinished on LucidLink (OPEN) for "
        "1 min"
    )
    assert look(iconik, claimed) == AssetResult(
        unless_copied={"ORIGINAL": Outcome("failed", Reason(reason))}
    )


def test_what_never_stops_growing_is_told_and_not_copied_over(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - 5 * SETTLE - 7_000)
    iconik.has(on_b2(), on_ll(status="GROWING"))
    found = look(iconik, claimed)
    reason = "it is there, but clip.mov has been growing on LucidLink for 5 min"
    assert found == AssetResult(unless_copied={"ORIGINAL": Outcome("failed", Reason(reason))})
    assert found.unless_copied["ORIGINAL"].reason.cause == Cause.BEING_WRITTEN


def test_what_never_stops_growing_needs_no_source(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - SETTLE)
    iconik.has(on_ll(status="GROWING"))
    reason = look(iconik, claimed).unless_copied["ORIGINAL"].reason
    assert reason == "it is there, but clip.mov has been growing on LucidLink for 1 min"


def test_a_copy_that_never_stops_growing_has_failed(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": Reason("no space left")})
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - SETTLE)
    iconik.has(on_b2(), on_ll(status="GROWING"))
    told = look(iconik, claimed).unless_copied["ORIGINAL"]
    assert told.reason == (
        "the copy to LucidLink has ended, but clip.mov has been growing on LucidLink for 1 min: no "
        "space left"
    )
    assert told.reason.cause == Cause.BEING_WRITTEN


@pytest.mark.parametrize("size", [10, 1000, 5000])
def test_what_still_grows_was_not_copied_whatever_its_size(
    iconik: FakeIconik, claimed: ClaimedAsset, size: int
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    iconik.has(on_b2(size=1000), on_ll(size=size, status="GROWING"))
    assert look(iconik, claimed).outcomes == {}


def test_frames_that_still_grow_are_told_together(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    names = [f"shot.{number}.dpx" for number in range(1001, 1011)]
    growing = [on_ll(name, status="GROWING") for name in names[:4]]
    iconik.has(*map(on_b2, names), *growing, *map(on_ll, names[4:]))
    told = "4 of 10 frames have been growing on LucidLink (1001–1004)"
    assert look(iconik, claimed).unfinished == told


def test_what_grew_is_forgotten_when_it_is_copied(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=5, unfinished="x has been growing")
    iconik.has(on_b2())
    look(iconik, claimed)
    assert claimed.progress.unfinished == ""


@pytest.mark.parametrize(("said", "told"), [("", ""), ("no space left", ": no space left")])
def test_what_a_copy_did_not_bring_has_failed(
    iconik: FakeIconik, claimed: ClaimedAsset, said: str, told: str
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": Reason(said)})
    iconik.has(on_b2())
    reason = f"the copy to LucidLink has ended, but the file is not there{told}"
    assert look(iconik, claimed) == AssetResult(
        unless_copied={"ORIGINAL": Outcome("failed", Reason(reason))}
    )


@pytest.mark.parametrize(
    ("files", "usual"),
    [([on_b2()], Cause.COPY_FAILED), ([on_b2(size=2000), on_ll(size=1000)], Cause.BAD_COPY)],
)
@pytest.mark.parametrize("why", [Cause.NOT_PERMITTED, None])
def test_why_iconik_refused_a_copy_explains_more_than_what_came_of_it(
    iconik: FakeIconik, claimed: ClaimedAsset, files: list[File], usual: Cause, why: Cause | None
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": Reason("no", why)})
    iconik.has(*files)
    assert look(iconik, claimed).unless_copied["ORIGINAL"].reason.cause == (why or usual)


def test_of_versions_the_newest_is_wanted(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    new = a_format(id="new", date_created="2024-06-01")
    iconik.has(
        *(on_ll(), on_b2(), on_b2("v2.mov", format_id="new")),
        formats=[a_format(date_created="2024-01-01"), new],
    )
    assert look(iconik, claimed) == AssetResult(copies=("ORIGINAL",))


def test_formats_are_looked_at_one_by_one(iconik: FakeIconik) -> None:
    claimed = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), AssetProgress())
    proxy = on_b2("proxy.mov", format_id="format-proxy")
    iconik.has(on_ll(), on_b2(), proxy, formats=[a_format(), a_format("PROXY")])
    assert look(iconik, claimed) == AssetResult({"ORIGINAL": Outcome("there")}, copies=("PROXY",))


def test_nothing_is_decided_where_iconik_gives_no_answer(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    iconik.problems["formats"] = IconikUnavailable("look", "no answer")
    with pytest.raises(IconikUnavailable):
        look(iconik, claimed)


def test_formats_are_asked_for_once(iconik: FakeIconik, claimed: ClaimedAsset) -> None:
    iconik.has(on_b2())
    look(iconik, claimed)
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    iconik.has(on_b2(), on_ll())
    assert look(iconik, claimed) == AssetResult({"ORIGINAL": Outcome("copied")})
    assert len(iconik.called("formats")) == 1


def test_an_asset_that_vanished_while_it_was_copied_is_told(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    iconik.has(on_b2())
    look(iconik, claimed)
    del iconik.known_formats[ASSET], iconik.known_files[ASSET]
    assert look(iconik, claimed).outcomes["ORIGINAL"].kind == "vanished"


def test_only_files_are_news_once_copies_were_asked_for(
    iconik: FakeIconik, claimed: ClaimedAsset
) -> None:
    iconik.has(on_b2())
    look(iconik, claimed)
    iconik.calls.clear()
    look(iconik, claimed)
    assert iconik.calls == [("files", ASSET)]


# What listings tell

READY = AssetProgress(format_names={ORIGINAL: "ORIGINAL"}, ready=("ORIGINAL",))


def test_what_a_listing_told_is_copied_without_a_look(iconik: FakeIconik) -> None:
    claimed = ClaimedAsset(ASSET, ("ORIGINAL",), READY)
    assert look(iconik, claimed).copies == ("ORIGINAL",)
    assert iconik.calls == []


def test_what_a_listing_told_is_not_forgotten_when_it_is_copied(iconik: FakeIconik) -> None:
    claimed = ClaimedAsset(ASSET, ("ORIGINAL",), READY)
    look(iconik, claimed)
    assert claimed.progress == READY


def test_what_a_listing_told_is_copied_once(iconik: FakeIconik) -> None:
    progress = READY.with_copy_results({"ORIGINAL": Reason("no space left")})
    iconik.has(on_b2())
    found = look(iconik, ClaimedAsset(ASSET, ("ORIGINAL",), progress))
    assert (found.copies, found.unless_copied["ORIGINAL"].kind) == ((), "failed")


def test_what_a_listing_told_is_forgotten_once_a_look_has_others_copied(
    iconik: FakeIconik,
) -> None:
    progress = READY.with_copy_results({"ORIGINAL": None})
    claimed = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), progress)
    proxy = a_format("PROXY")
    files = [on_b2(), on_ll(), on_b2("proxy.mov", format_id=proxy.id)]
    iconik.has(*files, formats=[a_format(), proxy])
    look(iconik, claimed)
    assert claimed.progress.ready == ()


def test_where_a_listing_did_not_tell_of_every_wanted_format_they_are_asked_for(
    iconik: FakeIconik,
) -> None:
    claimed = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), replace(READY, ready=()))
    iconik.has(on_b2(), on_ll())
    look(iconik, claimed)
    assert iconik.calls == [("formats", ASSET), ("files", ASSET)]


def test_where_a_listing_told_of_more_than_the_wanted_formats_they_are_not_asked_for(
    iconik: FakeIconik,
) -> None:
    names = {ORIGINAL: "ORIGINAL", "format-proxy": "PROXY"}
    iconik.has(on_b2(), on_ll())
    look(iconik, ClaimedAsset(ASSET, ("ORIGINAL",), AssetProgress(format_names=names)))
    assert iconik.calls == [("files", ASSET)]


def test_a_format_that_can_not_be_copied_now_need_not_be_known(iconik: FakeIconik) -> None:
    stuck = replace(READY, ready=(), deletions=half_done({"proxies": "PROXY"}))
    iconik.has(on_b2(), on_ll())
    iconik.problems["restore_file_set"] = NotPermitted("restore it", "it needs a role")
    look(iconik, ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), stuck))
    assert not iconik.called("formats")


def test_after_the_copies_that_a_listing_told_of_only_files_are_news(iconik: FakeIconik) -> None:
    claimed = ClaimedAsset(ASSET, ("ORIGINAL",), READY)
    look(iconik, claimed)
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    iconik.has(on_b2(), on_ll())
    assert look(iconik, claimed).outcomes == {"ORIGINAL": Outcome("copied")}
    assert iconik.calls == [("files", ASSET)]


def test_what_a_listing_did_not_tell_is_looked_at_after_what_it_told(iconik: FakeIconik) -> None:
    claimed = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), READY)
    look(iconik, claimed)
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    proxy = a_format("PROXY")
    iconik.has(
        on_b2(), on_ll(), on_b2("proxy.mov", format_id=proxy.id), formats=[a_format(), proxy]
    )
    found = look(iconik, claimed)
    assert found.outcomes == {"ORIGINAL": Outcome("copied")}
    assert found.copies == ("PROXY",)
