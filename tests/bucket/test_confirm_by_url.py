"""What B2 confirms through signed URLs, and when it is asked at all."""

import logging
import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from responses import RequestsMock

from b2_iconik.bucket.confirm import Bucket, Confirmation
from b2_iconik.bucket.confirmed import VALID_FOR
from b2_iconik.common import logs
from b2_iconik.common.errors import BucketUnavailable
from b2_iconik.domain.custody import Pair
from b2_iconik.domain.reasons import Reason
from iconik_http.errors import IconikUnavailable, NotPermitted
from iconik_http.records import File
from tests.bucket.conftest import (
    SIGNATURE,
    START,
    Open,
    a_pair,
    a_storage,
    add,
    counted,
    no_url,
    signed,
    told_size,
)
from tests.makers import on_b2

CONFIRMED = Confirmation("signed URL")
ALONE = Confirmation("records alone")
CONFIRMATIONS = "b2_iconik_bucket_confirmations_total"
Offer = Callable[[File], str]


@pytest.fixture
def bucket(open_bucket: Open) -> Bucket:
    """B2, without an application key."""
    return open_bucket()


class Iconik:
    """Offers a signed URL for each file, or none."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self.asked: list[str] = []

    def download_url(self, file: File) -> str:
        """What iconik answers."""
        self.asked.append(file.name)
        return self.url


def frames(number: int) -> list[Pair]:
    """The files of an image sequence, each of another size."""
    return [a_pair(f"{n:05}.dpx", size=1000 + n) for n in range(number)]


def hold(b2: RequestsMock, pairs: list[Pair]) -> None:
    """Let the bucket hold what the records say."""
    for pair in pairs:
        add(b2, pair.twin.url, **told_size(pair.twin.size or 0))


# What is confirmed


@pytest.mark.parametrize("size", [0, 1, 18_000])
def test_an_object_of_the_size_in_the_record_is_confirmed(
    bucket: Bucket, b2: RequestsMock, size: int
) -> None:
    add(b2, signed(), **told_size(size))
    assert bucket.confirm(a_storage(), [a_pair(size=size)], no_url) == CONFIRMED


def test_a_size_proves_nothing_by_checksum(bucket: Bucket, b2: RequestsMock) -> None:
    add(b2, signed(), **told_size(1000))
    pair = a_pair(checksum="a9993e364706816aba3e25717850c26c9cd0d89d")
    assert not bucket.confirm(a_storage(), [pair], no_url).by_checksum


@pytest.mark.parametrize(
    ("answer", "objection"),
    [
        (
            {"status": 404},
            "clip.mov is gone from B2: iconik lists 1,000 bytes, but the bucket has no object",
        ),
        (
            told_size(999),
            "clip.mov differs on B2: iconik lists 1,000 bytes, but the bucket has 999 bytes",
        ),
        (
            told_size(0),
            "clip.mov differs on B2: iconik lists 1,000 bytes, but the bucket has 0 bytes",
        ),
        (
            {"status": 403},
            "clip.mov is not confirmed by B2: B2 does not accept iconik's signed URL (403)",
        ),
        (
            {"status": 200, "body": b"x" * 1000},
            "clip.mov is not confirmed by B2: B2 does not give the object's size "
            "(it answered 200 to "
            "a request for one byte)",
        ),
    ],
)
def test_an_objection_names_the_file_and_what_b2_says(
    bucket: Bucket, b2: RequestsMock, answer: dict[str, Any], objection: str
) -> None:
    add(b2, signed(), **answer)
    said = bucket.confirm(a_storage(), [a_pair()], no_url)
    assert said == Confirmation("signed URL", Reason(objection))


def test_a_url_that_does_not_lead_to_b2_is_an_objection(bucket: Bucket, b2: RequestsMock) -> None:
    pair = a_pair(url="https://cdn.example.com/clip.mov?token=secret")
    said = bucket.confirm(a_storage(), [pair], no_url)
    assert said.objection == (
        "clip.mov is not confirmed by B2: its URL leads to cdn.example.com, which is not Backblaze"
    )


def test_one_file_that_is_gone_is_an_objection_to_all(bucket: Bucket, b2: RequestsMock) -> None:
    pairs = frames(5)
    hold(b2, pairs[:3] + pairs[4:])
    add(b2, pairs[3].twin.url, status=404)
    said = bucket.confirm(a_storage(), pairs, no_url)
    assert said.objection.startswith("00003.dpx is gone from B2")


def test_a_file_of_which_one_twin_is_gone_is_not_confirmed(
    bucket: Bucket, b2: RequestsMock
) -> None:
    pair = a_pair()
    other = Pair(pair.file, replace(pair.twin, id="other", url=signed("other.mov")))
    hold(b2, [pair])
    add(b2, other.twin.url, status=404)
    assert bucket.confirm(a_storage(), [pair, other], no_url).objection


def test_without_a_twin_nothing_is_confirmed(bucket: Bucket) -> None:
    with pytest.raises(ValueError, match="no file on B2"):
        bucket.confirm(a_storage(), [], no_url)


# B2 is away


def test_trouble_of_b2_puts_the_asset_off(bucket: Bucket, b2: RequestsMock) -> None:
    add(b2, signed(), status=503)
    with pytest.raises(IconikUnavailable) as raised:
        bucket.confirm(a_storage(), [a_pair()], no_url)
    assert str(raised.value) == "could not ask B2 about clip.mov: B2 answered 503"


def test_the_error_is_the_same_after_pickling(bucket: Bucket, b2: RequestsMock) -> None:
    with pytest.raises(BucketUnavailable) as raised:
        bucket.confirm(a_storage(), [a_pair()], no_url)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - just made
    assert (type(again), str(again)) == (BucketUnavailable, str(raised.value))


def test_no_error_and_no_log_has_the_url(
    bucket: Bucket, b2: RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(BucketUnavailable) as raised:
        bucket.confirm(a_storage(), [a_pair()], no_url)
    logging.getLogger("plugin").error("failed", exc_info=raised.value)
    assert SIGNATURE not in caplog.text


# Where records have no URL


def test_iconik_is_asked_for_a_url_only_where_a_record_has_none(
    bucket: Bucket, b2: RequestsMock
) -> None:
    pairs = [a_pair("a.mov"), a_pair("b.mov", url="")]
    hold(b2, pairs[:1])
    add(b2, signed("b.mov"), **told_size(1000))
    iconik = Iconik(signed("b.mov"))
    said = bucket.confirm(a_storage(), pairs, iconik.download_url)
    assert (said, iconik.asked) == (CONFIRMED, ["b.mov"])


def test_what_iconik_refuses_is_passed_on(bucket: Bucket) -> None:
    def refuse(_: File) -> str:
        raise NotPermitted("sign a URL", "403")

    with pytest.raises(NotPermitted):
        bucket.confirm(a_storage(), [a_pair(url="")], refuse)


def test_where_an_account_offers_no_url_records_decide(bucket: Bucket, b2: RequestsMock) -> None:
    assert bucket.confirm(a_storage(), [a_pair(url="")], no_url) == ALONE


def test_that_an_account_offers_no_url_is_asked_once_in_ten_minutes(
    bucket: Bucket, clock: list[float]
) -> None:
    iconik = Iconik()
    for later in (0.0, VALID_FOR - 1, VALID_FOR):
        clock[0] = START + later
        bucket.confirm(
            a_storage(), [a_pair("a.mov", url=""), a_pair("b.mov", url="")], iconik.download_url
        )
    assert iconik.asked == ["a.mov", "a.mov"]


def test_what_one_storage_lacks_another_may_have(bucket: Bucket, b2: RequestsMock) -> None:
    iconik = Iconik()
    bucket.confirm(a_storage(), [a_pair(url="")], iconik.download_url)
    iconik.url = signed()
    add(b2, signed(), **told_size(1000))
    other = replace(a_storage(), id="other")
    assert bucket.confirm(other, [a_pair(url="")], iconik.download_url) == CONFIRMED


@pytest.mark.parametrize("names", [("a.mov", "b.mov"), ("b.mov", "a.mov")])
def test_a_file_without_a_url_beside_one_that_has_one_is_an_objection(
    bucket: Bucket, b2: RequestsMock, names: tuple[str, str]
) -> None:
    pairs = [a_pair(name, url="" if name == "a.mov" else signed("b.mov")) for name in names]
    add(b2, signed("b.mov"), **told_size(1000))
    said = bucket.confirm(a_storage(), pairs, no_url)
    assert said.objection == (
        "a.mov is not confirmed by B2: iconik offers no signed URL for it: set "
        "B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY"
    )


@pytest.mark.parametrize("offers_first", ["in the record", "when asked"])
def test_once_a_storage_had_a_url_a_missing_one_is_an_objection(
    bucket: Bucket, b2: RequestsMock, offers_first: str
) -> None:
    add(b2, signed(), **told_size(1000))
    url = signed()
    if offers_first == "in the record":
        bucket.confirm(a_storage(), [a_pair()], no_url)
    else:
        bucket.confirm(a_storage(), [a_pair(url="")], lambda _: url)
    assert bucket.confirm(a_storage(), [a_pair("b.mov", url="")], no_url).objection


def test_once_records_decided_a_url_is_required_as_soon_as_there_is_one(
    bucket: Bucket, b2: RequestsMock
) -> None:
    bucket.confirm(a_storage(), [a_pair(url="")], no_url)
    add(b2, signed(), status=404)
    assert bucket.confirm(a_storage(), [a_pair()], no_url).objection


def test_where_b2_must_confirm_records_never_decide(open_bucket: Open, b2: RequestsMock) -> None:
    said = open_bucket(b2_check="required").confirm(a_storage(), [a_pair(url="")], no_url)
    assert said == Confirmation(
        "signed URL",
        Reason(
            "clip.mov is not confirmed by B2: iconik offers no signed URL for it: set "
            "B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY, or B2_CHECK=auto"
        ),
    )


def test_where_the_check_is_off_nobody_is_asked(open_bucket: Open, b2: RequestsMock) -> None:
    iconik = Iconik(signed())
    bucket = open_bucket(b2_check="off", b2_key_id="id", b2_key="key")
    said = bucket.confirm(a_storage(), [a_pair(), a_pair("b.mov", url="")], iconik.download_url)
    assert (said, iconik.asked, len(b2.calls)) == (ALONE, [], 0)


# How often B2 is asked


def test_what_was_confirmed_is_not_asked_again_within_ten_minutes(
    bucket: Bucket, b2: RequestsMock, clock: list[float]
) -> None:
    pairs = frames(3)
    hold(b2, pairs)
    for later in (0.0, VALID_FOR - 1):
        clock[0] = START + later
        bucket.confirm(a_storage(), pairs, no_url)
    assert len(b2.calls) == 3


def test_after_ten_minutes_it_is_asked_again(
    bucket: Bucket, b2: RequestsMock, clock: list[float]
) -> None:
    hold(b2, [a_pair()])
    bucket.confirm(a_storage(), [a_pair()], no_url)
    b2.replace("GET", signed(), status=404)
    clock[0] += VALID_FOR
    assert bucket.confirm(a_storage(), [a_pair()], no_url).objection


def test_the_ten_minutes_begin_when_b2_is_asked(
    bucket: Bucket, b2: RequestsMock, clock: list[float]
) -> None:
    def slowly(_: Any) -> tuple[int, dict[str, str], bytes]:
        clock[0] += VALID_FOR
        return 206, {"Content-Range": "bytes 0-0/1000"}, b"x"

    b2.add_callback("GET", signed(), callback=slowly)
    for _ in range(2):
        bucket.confirm(a_storage(), [a_pair()], no_url)
    assert len(b2.calls) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"id": "other"},
        {"name": "other.mov"},
        {"directory_path": "other"},
        {"size": 999},
        {"checksum": "other"},
    ],
)
def test_a_record_that_has_changed_is_asked_about_again(
    bucket: Bucket, b2: RequestsMock, change: dict[str, Any]
) -> None:
    pair = a_pair()
    hold(b2, [pair])
    bucket.confirm(a_storage(), [pair], no_url)
    bucket.confirm(a_storage(), [pair._replace(twin=replace(pair.twin, **change))], no_url)
    assert len(b2.calls) == 2


@pytest.mark.parametrize(
    "change", [{"id": "other"}, {"settings": {"bucket_name": "o"}}, {"settings": {"path": "o"}}]
)
def test_after_a_change_of_the_storage_it_is_asked_again(
    bucket: Bucket, b2: RequestsMock, change: dict[str, Any]
) -> None:
    hold(b2, [a_pair()])
    for storage in (a_storage(), replace(a_storage(), **change)):
        bucket.confirm(storage, [a_pair()], no_url)
    assert len(b2.calls) == 2


def test_an_objection_is_not_remembered(bucket: Bucket, b2: RequestsMock) -> None:
    add(b2, signed(), status=404)
    bucket.confirm(a_storage(), [a_pair()], no_url)
    b2.replace("GET", signed(), **told_size(1000))
    assert bucket.confirm(a_storage(), [a_pair()], no_url) == CONFIRMED


def test_another_url_of_the_same_file_is_the_same_question(
    bucket: Bucket, b2: RequestsMock
) -> None:
    hold(b2, [a_pair()])
    bucket.confirm(a_storage(), [a_pair()], no_url)
    later = a_pair()._replace(twin=on_b2(url=signed() + "1"))
    assert bucket.confirm(a_storage(), [later], no_url) == CONFIRMED


@pytest.mark.parametrize("number", [7, 8, 9])
def test_every_file_of_a_sequence_is_asked_about_once(
    bucket: Bucket, b2: RequestsMock, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr("b2_iconik.bucket.confirm.SIDE_BY_SIDE", 4)
    pairs = frames(number)
    hold(b2, pairs)
    assert bucket.confirm(a_storage(), pairs, no_url) == CONFIRMED
    assert len(b2.calls) == number


def test_after_an_objection_the_rest_of_a_sequence_is_not_asked_about(
    bucket: Bucket, b2: RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b2_iconik.bucket.confirm.SIDE_BY_SIDE", 4)
    pairs = frames(9)
    hold(b2, pairs[1:])
    add(b2, pairs[0].twin.url, status=404)
    bucket.confirm(a_storage(), pairs, no_url)
    assert len(b2.calls) <= 4


def test_operations_side_by_side_come_to_their_ends(bucket: Bucket, b2: RequestsMock) -> None:
    pairs = frames(10)
    hold(b2, pairs)
    said: list[Confirmation] = []

    def confirm(number: int) -> None:
        storage = replace(a_storage(), id=f"storage-{number}")
        said.append(bucket.confirm(storage, pairs, no_url))

    threads = [threading.Thread(target=confirm, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert said == [CONFIRMED] * 12


def test_lines_that_are_logged_meanwhile_name_the_operation(
    bucket: Bucket, b2: RequestsMock
) -> None:
    pairs = [a_pair("a.mov"), a_pair("b.mov", url="")]
    hold(b2, pairs[:1])
    add(b2, signed("b.mov"), **told_size(1000))
    names: list[str] = []

    def offer(_: File) -> str:
        names.append(logs.operation_id.get())
        return signed("b.mov")

    with logs.about("operation-1"):
        bucket.confirm(a_storage(), pairs, offer)
    assert names == ["operation-1"]


# What is counted


@pytest.mark.parametrize(
    ("answer", "changes", "way", "result"),
    [
        (told_size(1000), {}, "signed_url", "confirmed"),
        ({"status": 404}, {}, "signed_url", "objection"),
        ({"status": 503}, {}, "signed_url", "unavailable"),
        (told_size(1000), {"b2_check": "off"}, "records_alone", "not_asked"),
    ],
)
def test_file_sets_are_counted_by_what_came_of_them(
    open_bucket: Open,
    b2: RequestsMock,
    answer: dict[str, Any],
    changes: dict[str, Any],
    way: str,
    result: str,
) -> None:
    before = counted(CONFIRMATIONS, way=way, result=result)
    add(b2, signed(), **answer)
    with suppress(BucketUnavailable):
        open_bucket(**changes).confirm(a_storage(), [a_pair()], no_url)
    assert counted(CONFIRMATIONS, way=way, result=result) - before == 1
