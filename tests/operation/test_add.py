"""What Add does with one asset, in front of an iconik in memory."""

from dataclasses import replace

import pytest

from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.execution import process_add
from b2_iconik.operation.snapshot import Patience
from iconik_http.errors import NotPermitted
from iconik_http.records import File
from tests.makers import ASSET, LL, ORIGINAL, FakeIconik, a_format, half_done, on_b2, on_ll

NOW = 1_000_000
SETTLE = 60_000
NO_SOURCE = "no storage has a complete set of its files to copy to LucidLink"


class Bench:
    """An asset that is to be on LucidLink, in front of an iconik in memory."""

    def __init__(self) -> None:
        self.iconik = FakeIconik()
        self.asset = ClaimedAsset(ASSET, ("ORIGINAL",), AssetProgress())

    def look(self) -> AssetResult:
        return process_add(self.iconik, self.asset, LL, Patience(NOW, SETTLE))

    def copy_ended(self, problem: Reason | None = None) -> None:
        """Have the copy of the ORIGINAL end."""
        self.asset.progress = self.asset.progress.with_copy_results({"ORIGINAL": problem})

    def unfinished_for(self, ms: int) -> None:
        """Have something been waited for since then."""
        self.asset.progress = replace(self.asset.progress, unfinished_ms=NOW - ms)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def failed(reason: str) -> AssetResult:
    """What comes of an ORIGINAL that has failed unless another copy of it is under way."""
    return AssetResult(unless_copied={"ORIGINAL": Outcome("failed", Reason(reason))})


def test_what_is_lacking_is_copied(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    assert bench.look() == AssetResult(copies=("ORIGINAL",))


def test_what_is_there_needs_no_copy(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    assert bench.look() == AssetResult({"ORIGINAL": Outcome("there")})


def test_what_a_copy_brought_is_told(bench: Bench) -> None:
    bench.copy_ended()
    bench.iconik.has(on_b2(), on_ll())
    assert bench.look() == AssetResult({"ORIGINAL": Outcome("copied")})


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
    bench: Bench, requested: bool, files: list[File], size: int
) -> None:
    if requested:
        bench.copy_ended()
    bench.iconik.has(*files)
    found = bench.look()
    assert {**found.outcomes, **found.unless_copied}["ORIGINAL"].size == size


def test_a_copy_of_which_a_part_has_arrived_has_failed(bench: Bench) -> None:
    bench.copy_ended()
    bench.iconik.has(on_b2(size=200_000), on_ll(size=100_000))
    reason = "clip.mov: 100 KB of 200 KB arrived on LucidLink"
    assert bench.look() == failed(reason)


def test_what_iconik_said_of_a_copy_is_told_with_what_arrived(bench: Bench) -> None:
    bench.copy_ended(Reason("no space left"))
    bench.iconik.has(on_b2(size=2000), on_ll(size=1000))
    reason = "clip.mov: 1 KB of 2 KB arrived on LucidLink: no space left"
    assert bench.look().unless_copied == {"ORIGINAL": Outcome("failed", Reason(reason))}


def test_what_was_there_before_may_have_been_edited(bench: Bench) -> None:
    bench.iconik.has(on_b2(size=2000), on_ll(size=1000))
    assert bench.look() == AssetResult({"ORIGINAL": Outcome("there")})


def test_a_format_that_the_asset_lacks_is_not_asked_for(bench: Bench) -> None:
    bench.iconik.has(on_b2(), formats=[a_format("PROXY")])
    assert bench.look() == AssetResult({"ORIGINAL": Outcome("without")})


def test_an_asset_that_iconik_knows_no_more_is_told(bench: Bench) -> None:
    assert bench.look().outcomes["ORIGINAL"].kind == "vanished"


@pytest.mark.parametrize("files", [[], [on_b2(status="MISSING")], [on_b2(size=0)]])
def test_no_copy_is_asked_for_that_is_bound_to_fail(bench: Bench, files: list[File]) -> None:
    bench.iconik.has(*files)
    assert bench.look() == AssetResult({"ORIGINAL": Outcome("failed", Reason(NO_SOURCE))})


def test_what_is_being_written_is_waited_for(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll(status="OPEN"))
    unfinished = "clip.mov has been unfinished on LucidLink (OPEN)"
    assert bench.look() == AssetResult(unfinished=unfinished)
    assert bench.asset.progress.unfinished_ms == NOW
    assert bench.asset.progress.unfinished == unfinished


def test_how_long_it_was_waited_is_not_forgotten(bench: Bench) -> None:
    bench.unfinished_for(1)
    bench.iconik.has(on_b2(), on_ll(status="OPEN"))
    bench.look()
    assert bench.asset.progress.unfinished_ms == NOW - 1


def test_what_is_never_finished_is_copied_once(bench: Bench) -> None:
    bench.unfinished_for(SETTLE)
    bench.iconik.has(on_b2(), on_ll(status="OPEN"))
    assert bench.look() == AssetResult(copies=("ORIGINAL",))


def test_what_a_copy_never_finished_has_failed(bench: Bench) -> None:
    bench.copy_ended()
    bench.unfinished_for(SETTLE)
    bench.iconik.has(on_b2(), on_ll(status="OPEN"))
    reason = (
        "the copy to LucidLink has ended, but clip.mov has been unfinished on LucidLink (OPEN) for "
        "1 min"
    )
    assert bench.look() == failed(reason)


def test_what_never_stops_growing_is_told_and_not_copied_over(bench: Bench) -> None:
    bench.unfinished_for(5 * SETTLE + 7_000)
    bench.iconik.has(on_b2(), on_ll(status="GROWING"))
    found = bench.look()
    reason = "it is there, but clip.mov has been growing on LucidLink for 5 min"
    assert found == failed(reason)
    assert found.unless_copied["ORIGINAL"].reason.cause == Cause.BEING_WRITTEN


def test_what_never_stops_growing_needs_no_source(bench: Bench) -> None:
    bench.unfinished_for(SETTLE)
    bench.iconik.has(on_ll(status="GROWING"))
    reason = bench.look().unless_copied["ORIGINAL"].reason
    assert reason == "it is there, but clip.mov has been growing on LucidLink for 1 min"


def test_a_copy_that_never_stops_growing_has_failed(bench: Bench) -> None:
    bench.copy_ended(Reason("no space left"))
    bench.unfinished_for(SETTLE)
    bench.iconik.has(on_b2(), on_ll(status="GROWING"))
    told = bench.look().unless_copied["ORIGINAL"]
    assert told.reason == (
        "the copy to LucidLink has ended, but clip.mov has been growing on LucidLink for 1 min: no "
        "space left"
    )
    assert told.reason.cause == Cause.BEING_WRITTEN


@pytest.mark.parametrize("size", [10, 1000, 5000])
def test_what_still_grows_was_not_copied_whatever_its_size(bench: Bench, size: int) -> None:
    bench.copy_ended()
    bench.iconik.has(on_b2(size=1000), on_ll(size=size, status="GROWING"))
    assert bench.look().outcomes == {}


def test_frames_that_still_grow_are_told_together(bench: Bench) -> None:
    names = [f"shot.{number}.dpx" for number in range(1001, 1011)]
    growing = [on_ll(name, status="GROWING") for name in names[:4]]
    bench.iconik.has(*map(on_b2, names), *growing, *map(on_ll, names[4:]))
    told = "4 of 10 frames have been growing on LucidLink (1001–1004)"
    assert bench.look().unfinished == told


def test_what_grew_is_forgotten_when_it_is_copied(bench: Bench) -> None:
    bench.asset.progress = AssetProgress(unfinished_ms=5, unfinished="x has been growing")
    bench.iconik.has(on_b2())
    bench.look()
    progress = bench.asset.progress
    assert (progress.unfinished_ms, progress.unfinished) == (None, "")


@pytest.mark.parametrize(("said", "told"), [("", ""), ("no space left", ": no space left")])
def test_what_a_copy_did_not_bring_has_failed(bench: Bench, said: str, told: str) -> None:
    bench.copy_ended(Reason(said))
    bench.iconik.has(on_b2())
    reason = f"the copy to LucidLink has ended, but the file is not there{told}"
    assert bench.look() == failed(reason)


@pytest.mark.parametrize(
    ("files", "usual"),
    [([on_b2()], Cause.COPY_FAILED), ([on_b2(size=2000), on_ll(size=1000)], Cause.BAD_COPY)],
)
@pytest.mark.parametrize("why", [Cause.NOT_PERMITTED, None])
def test_why_iconik_refused_a_copy_explains_more_than_what_came_of_it(
    bench: Bench, files: list[File], usual: Cause, why: Cause | None
) -> None:
    bench.copy_ended(Reason("no", why))
    bench.iconik.has(*files)
    assert bench.look().unless_copied["ORIGINAL"].reason.cause == (why or usual)


def test_of_versions_the_newest_is_wanted(bench: Bench) -> None:
    new = a_format(id="new", date_created="2024-06-01")
    bench.iconik.has(
        *(on_ll(), on_b2(), on_b2("v2.mov", format_id="new")),
        formats=[a_format(date_created="2024-01-01"), new],
    )
    assert bench.look() == AssetResult(copies=("ORIGINAL",))


def test_formats_are_looked_at_one_by_one(bench: Bench) -> None:
    bench.asset = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), AssetProgress())
    proxy = on_b2("proxy.mov", format_id="format-proxy")
    bench.iconik.has(on_ll(), on_b2(), proxy, formats=[a_format(), a_format("PROXY")])
    assert bench.look() == AssetResult({"ORIGINAL": Outcome("there")}, copies=("PROXY",))


def test_an_asset_that_vanished_while_it_was_copied_is_told(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.look()
    del bench.iconik.known_formats[ASSET], bench.iconik.known_files[ASSET]
    assert bench.look().outcomes["ORIGINAL"].kind == "vanished"


def test_only_files_are_news_once_copies_were_asked_for(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.look()
    bench.iconik.calls.clear()
    bench.look()
    assert bench.iconik.calls == [("files", ASSET)]


# What listings tell

READY = AssetProgress(format_names={ORIGINAL: "ORIGINAL"}, ready=("ORIGINAL",))


def test_what_a_listing_told_is_copied_without_a_look(bench: Bench) -> None:
    bench.asset.progress = READY
    assert bench.look().copies == ("ORIGINAL",)
    assert (bench.iconik.calls, bench.asset.progress) == ([], READY)


def test_what_a_listing_told_is_copied_once(bench: Bench) -> None:
    bench.asset.progress = READY
    bench.copy_ended(Reason("no space left"))
    bench.iconik.has(on_b2())
    found = bench.look()
    assert (found.copies, found.unless_copied["ORIGINAL"].kind) == ((), "failed")


def test_what_a_listing_told_is_forgotten_once_a_look_has_others_copied(bench: Bench) -> None:
    bench.asset = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), READY)
    bench.copy_ended()
    proxy = a_format("PROXY")
    files = [on_b2(), on_ll(), on_b2("proxy.mov", format_id=proxy.id)]
    bench.iconik.has(*files, formats=[a_format(), proxy])
    bench.look()
    assert bench.asset.progress.ready == ()


def test_where_a_listing_did_not_tell_of_every_wanted_format_they_are_asked_for(
    bench: Bench,
) -> None:
    bench.asset = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), replace(READY, ready=()))
    bench.iconik.has(on_b2(), on_ll())
    bench.look()
    assert bench.iconik.calls == [("formats", ASSET), ("files", ASSET)]


def test_where_a_listing_told_of_more_than_the_wanted_formats_they_are_not_asked_for(
    bench: Bench,
) -> None:
    names = {ORIGINAL: "ORIGINAL", "format-proxy": "PROXY"}
    bench.iconik.has(on_b2(), on_ll())
    bench.asset.progress = AssetProgress(format_names=names)
    bench.look()
    assert bench.iconik.calls == [("files", ASSET)]


def test_a_format_that_can_not_be_copied_now_need_not_be_known(bench: Bench) -> None:
    stuck = replace(READY, ready=(), deletions=half_done({"proxies": "PROXY"}))
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.problems["restore_file_set"] = NotPermitted("restore it", "it needs a role")
    bench.asset = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), stuck)
    bench.look()
    assert not bench.iconik.called("formats")


def test_after_the_copies_that_a_listing_told_of_only_files_are_news(bench: Bench) -> None:
    bench.asset.progress = READY
    bench.look()
    bench.copy_ended()
    bench.iconik.has(on_b2(), on_ll())
    assert bench.look().outcomes == {"ORIGINAL": Outcome("copied")}
    assert bench.iconik.calls == [("files", ASSET)]


def test_what_a_listing_did_not_tell_is_looked_at_after_what_it_told(bench: Bench) -> None:
    bench.asset = ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), READY)
    bench.look()
    bench.copy_ended()
    proxy = a_format("PROXY")
    bench.iconik.has(
        on_b2(), on_ll(), on_b2("proxy.mov", format_id=proxy.id), formats=[a_format(), proxy]
    )
    found = bench.look()
    assert found.outcomes == {"ORIGINAL": Outcome("copied")}
    assert found.copies == ("PROXY",)
