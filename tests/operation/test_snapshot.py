"""One asset as iconik shows it, and what is asked of iconik for that."""

from collections.abc import Collection, Mapping

import pytest

from b2_iconik.operation.snapshot import Patience, Snapshot, see
from iconik_http import expiry
from iconik_http.errors import IconikRefused, IconikUnavailable, NotFound
from tests.makers import ASSET, ORIGINAL, FakeIconik, a_format, on_b2, on_ll

LL_SET = on_ll().file_set_id


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


def test_two_requests_show_an_asset(iconik: FakeIconik) -> None:
    iconik.has(on_ll(), on_b2())
    assert see(iconik, ASSET) == Snapshot([a_format()], [on_ll(), on_b2()])
    assert iconik.calls == [("formats", ASSET), ("files", ASSET)]


def test_formats_of_older_versions_are_seen_where_they_are_wanted(iconik: FakeIconik) -> None:
    iconik.has(on_ll())
    iconik.older_formats[ASSET] = [a_format(id="v1")]
    found = [see(iconik, ASSET, is_thorough=wanted) for wanted in (False, True)]
    assert [[each.id for each in snapshot.formats] for snapshot in found if snapshot] == [
        [ORIGINAL],
        [ORIGINAL, "v1"],
    ]


def test_file_set_statuses_that_files_lack_are_asked_for(iconik: FakeIconik) -> None:
    iconik.has(on_ll(file_set_status=None), on_b2())
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED", on_b2().file_set_id: "DELETED"}
    found = see(iconik, ASSET)
    assert found
    assert found.files == [on_ll(file_set_status="DELETED"), on_b2()]


def test_file_set_statuses_belong_to_the_reading_of_the_files(
    iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "now", lambda: 100.0)
    iconik.has(on_ll(file_set_status=None))
    iconik.known_statuses[ASSET] = {LL_SET: "ACTIVE"}
    found = see(iconik, ASSET)
    assert found
    assert found.until == 100.0 + expiry.HOLDS + expiry.A_PAGE


def test_a_file_set_that_is_not_listed_is_of_no_known_status(iconik: FakeIconik) -> None:
    iconik.has(on_ll(file_set_status=None))
    iconik.answers_with("file_sets", lambda *_: [])
    assert see(iconik, ASSET) == Snapshot([a_format()], [on_ll(file_set_status=None)])


def test_an_asset_without_formats_has_nothing_more_to_be_asked_for(iconik: FakeIconik) -> None:
    iconik.known_formats[ASSET] = []
    assert see(iconik, ASSET) == Snapshot([], [])
    assert iconik.calls == [("formats", ASSET)]


def test_an_asset_whose_formats_are_not_found_may_exist(iconik: FakeIconik) -> None:
    iconik.known_formats[ASSET] = []
    iconik.problems["formats"] = NotFound("list the formats", "iconik knows no such object")
    assert see(iconik, ASSET) == Snapshot([], [])


def test_an_asset_that_is_not_found_at_all_is_gone(iconik: FakeIconik) -> None:
    assert see(iconik, ASSET) is None


def test_that_the_files_of_an_asset_are_not_found_does_not_mean_that_it_has_none(
    iconik: FakeIconik,
) -> None:
    iconik.known_formats[ASSET] = [a_format()]
    with pytest.raises(IconikRefused, match="answered 404, although the asset exists"):
        see(iconik, ASSET)


def test_an_asset_that_vanishes_before_its_files_are_listed_is_gone(iconik: FakeIconik) -> None:
    iconik.known_formats[ASSET] = [a_format()]
    iconik.before["files"] = iconik.known_formats.clear
    assert see(iconik, ASSET) is None


# Contradictions

B2_SET = on_b2().file_set_id


def contradictions(iconik: FakeIconik, deleted: Collection[str] | None) -> Mapping[str, str]:
    found = see(iconik, ASSET, deleted=deleted)
    assert found
    return found.contradictions


def test_a_file_set_in_the_delete_queue_whose_files_are_active_is_a_contradiction(
    iconik: FakeIconik,
) -> None:
    iconik.has(on_ll(), on_b2())
    assert contradictions(iconik, {B2_SET}) == {
        B2_SET: f"file set {B2_SET} is in iconik's delete queue, but iconik lists its files as "
        "ACTIVE"
    }
    assert not iconik.called("file_sets")


def test_a_file_set_in_the_delete_queue_whose_files_are_deleted_is_none(
    iconik: FakeIconik,
) -> None:
    iconik.has(on_ll(), on_b2(file_set_status="DELETED"))
    assert contradictions(iconik, {B2_SET}) == {}


def test_where_the_delete_queue_is_not_known_file_sets_are_listed(iconik: FakeIconik) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.known_statuses[ASSET] = {B2_SET: "DELETED"}
    assert contradictions(iconik, None) == {
        B2_SET: f"iconik lists file set {B2_SET} as DELETED, but its files as ACTIVE"
    }


def test_a_file_set_whose_status_iconik_does_not_tell_contradicts_nothing(
    iconik: FakeIconik,
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.known_statuses[ASSET] = {B2_SET: ""}
    assert contradictions(iconik, None) == {}


@pytest.mark.parametrize(("count", "is_right"), [(1, False), (2, True), (3, True), (4, False)])
def test_file_counts_are_compared_with_or_without_directories(
    iconik: FakeIconik, count: int, is_right: bool
) -> None:
    iconik.has(on_ll(), on_ll("b.mov"), on_ll("card", type="DIRECTORY"))
    iconik.counts[LL_SET] = count
    told = {LL_SET: f"iconik reports a file count of {count} for file set {LL_SET}, but lists 3"}
    assert contradictions(iconik, None) == ({} if is_right else told)


@pytest.mark.parametrize("at", ["formats", "files"])
def test_an_asset_is_never_taken_for_gone_because_iconik_is_away(
    iconik: FakeIconik, at: str
) -> None:
    iconik.has(on_ll())
    iconik.problems[at] = IconikUnavailable("look", "no answer")
    with pytest.raises(IconikUnavailable):
        see(iconik, ASSET)


@pytest.mark.parametrize(("since", "over"), [(None, False), (41, False), (40, True), (0, True)])
def test_patience_is_over_once_the_time_has_passed(since: int | None, over: bool) -> None:
    assert Patience(now_ms=100, settle_ms=60).is_over(since) is over


def test_formats_that_are_known_are_not_asked_for(iconik: FakeIconik) -> None:
    iconik.has(on_ll())
    assert see(iconik, ASSET, [a_format()]) == Snapshot([a_format()], [on_ll()])
    assert iconik.calls == [("files", ASSET)]


def test_a_file_of_an_unknown_format_has_the_formats_asked_for(iconik: FakeIconik) -> None:
    formats = [a_format(), a_format("PROXY")]
    files = [on_ll(), on_ll("proxy.mov", format_id="format-proxy")]
    iconik.has(*files, formats=formats)
    assert see(iconik, ASSET, [a_format()]) == Snapshot(formats, files)
    assert iconik.calls == [("files", ASSET), ("formats", ASSET), ("files", ASSET)]


def test_what_is_read_again_because_of_an_unknown_format_counts_from_the_second_reading(
    iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(expiry, "now", lambda: clock[0])
    iconik.has(on_ll("proxy.mov", format_id="format-proxy"))
    iconik.before["formats"] = lambda: clock.__setitem__(0, 200.0)
    found = see(iconik, ASSET, [a_format()])
    assert found
    assert found.until == 200.0 + expiry.HOLDS


def test_a_file_that_was_deleted_while_unknown_formats_were_asked_for_is_not_seen(
    iconik: FakeIconik,
) -> None:
    iconik.has(on_ll("proxy.mov", format_id="format-proxy"))
    iconik.before["formats"] = lambda: iconik.has(on_b2())
    assert see(iconik, ASSET, [a_format()]) == Snapshot([a_format()], [on_b2()])


def test_what_is_known_of_the_delete_queue_counts_when_everything_is_read_again(
    iconik: FakeIconik,
) -> None:
    iconik.has(on_ll(), on_b2("proxy.mov", format_id="format-proxy"))
    found = see(iconik, ASSET, [a_format()], {LL_SET})
    assert found
    assert list(found.contradictions) == [LL_SET]


def test_a_file_of_an_older_version_is_known_by_its_format(iconik: FakeIconik) -> None:
    iconik.has(on_ll(), on_ll("old.mov", format_id="v1"))
    iconik.older_formats[ASSET] = [a_format(id="v1")]
    found = see(iconik, ASSET, [a_format()], is_thorough=True)
    assert found
    assert [each.id for each in found.formats] == [ORIGINAL, "v1"]


def test_an_asset_that_vanishes_before_its_unknown_formats_are_listed_is_gone(
    iconik: FakeIconik,
) -> None:
    iconik.has(on_ll("proxy.mov", format_id="format-proxy"))
    iconik.before["formats"] = iconik.known_formats.clear
    assert see(iconik, ASSET, [a_format()]) is None


def test_formats_that_are_not_found_of_an_asset_that_exists_are_none(iconik: FakeIconik) -> None:
    iconik.has(on_ll("proxy.mov", format_id="format-proxy"))
    iconik.problems["formats"] = NotFound("list the formats", "iconik knows no such object")
    assert see(iconik, ASSET, [a_format()]) == Snapshot([], [])


def test_an_asset_of_known_formats_that_is_not_found_is_gone(iconik: FakeIconik) -> None:
    assert see(iconik, ASSET, [a_format()]) is None
    assert not iconik.called("formats")
