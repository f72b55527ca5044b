"""iconik's lists, read to their end whatever they do meanwhile."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from responses import RequestsMock, matchers

from iconik_http.errors import IconikUnavailable, Incomplete, NotFound
from iconik_http.paging import PAGES_AT_ONCE, READINGS
from iconik_http.transport import Transport
from tests.fake_iconik import API

THINGS = f"{API}things/"
Read = Callable[[Transport], list[dict[str, Any]]]


def list_all(transport: Transport) -> list[dict[str, Any]]:
    """Ask for all pages of a list."""
    return list(transport.pages("things/", "list the things", "can_read_things"))


def page(next_url: object = None, *ids: int) -> dict[str, Any]:
    """A page of a list."""
    return {"objects": [{"id": each} for each in ids], "next_url": next_url}


def test_a_list_of_one_page_is_read(transport: Transport, http: RequestsMock) -> None:
    http.get(THINGS, json={"objects": [{"id": 1}]})
    assert list_all(transport) == [{"id": 1}]


def test_all_pages_of_a_list_are_read_in_order(transport: Transport, http: RequestsMock) -> None:
    page_1 = page("/API/things/?per_page=100&last_id=2", 1, 2)
    page_2 = page("/API/things/?per_page=100&last_id=3", 3)
    for query, answer in (("", page_1), ("&last_id=2", page_2), ("&last_id=3", page())):
        url = f"{THINGS}?per_page=100{query}"
        http.get(url, json=answer)
    assert [each["id"] for each in list_all(transport)] == [1, 2, 3]


def test_the_largest_page_is_asked_for(transport: Transport, http: RequestsMock) -> None:
    query = {"ids": "a,b", "per_page": "100"}
    http.get(THINGS, json=page(), match=[matchers.query_param_matcher(query)])
    assert list(transport.pages("things/", "list", "can", {"ids": "a,b"})) == []


def test_no_page_is_asked_for_before_it_is_needed(transport: Transport, http: RequestsMock) -> None:
    http.get(THINGS, json=page("/API/things/?page=2", 1))
    assert next(transport.pages("things/", "list", "can")) == {"id": 1}
    assert len(http.calls) == 1


@pytest.mark.parametrize("last", [None, "", False])
def test_an_empty_next_page_ends_the_list(
    transport: Transport, http: RequestsMock, last: object
) -> None:
    http.get(THINGS, json=page(last, 1))
    assert list_all(transport) == [{"id": 1}]


@pytest.mark.parametrize(
    "next_url",
    [
        "https://evil.test/API/things/",
        "https://iconik.test@evil.test/API/things/",
        "http://iconik.test/API/things/",
        "//evil.test/API/things/",
        "\\\\evil.test/",
        "evil.test/API/things/",
        "@evil.test/API/",
        ":8443/API/things/",
        "\t/API/things/?page=2",
        "//[evil",
        "file:///etc/passwd",
        2,
        ["/API/things/"],
        {"url": "/API/things/"},
    ],
    ids=repr,
)
def test_no_answer_sends_us_to_another_host(
    transport: Transport, http: RequestsMock, next_url: object
) -> None:
    http.get(THINGS, json=page(next_url, 1))
    with pytest.raises(IconikUnavailable, match="next page is not a path on the same host"):
        list_all(transport)
    assert len(http.calls) == 1


def test_a_next_page_may_name_our_own_host(transport: Transport, http: RequestsMock) -> None:
    http.get(THINGS, json=page("https://iconik.test/API/more/", 1))
    http.get("https://iconik.test/API/more/", json=page(None, 2))
    assert list_all(transport) == [{"id": 1}, {"id": 2}]


def numbered(number: int, pages: int, *ids: int) -> dict[str, Any]:
    """A page of a list that numbers them."""
    following = f"/API/things/?per_page=100&page={number + 1}" if number < pages else None
    return {**page(following, *ids), "page": number, "pages": pages}


def test_the_pages_of_a_list_that_numbers_them_are_asked_for_side_by_side(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(f"{THINGS}?per_page=100", json=numbered(1, 3, 1))
    http.get(f"{THINGS}?per_page=100&page=2", json=numbered(2, 3, 2))
    http.get(f"{THINGS}?per_page=100&page=3", json=numbered(3, 3, 3))
    asked: list[list[int]] = []

    def side_by_side(ask: Callable[[int], Any], numbers: Iterable[int]) -> Iterable[Any]:
        asked.append(list(numbers))
        return map(ask, asked[-1])

    found = transport.pages("things/", "list", "can", None, side_by_side)
    assert [each["id"] for each in found] == [1, 2, 3]
    assert (asked, len(http.calls)) == ([[2, 3]], 3)


def test_pages_that_are_added_meanwhile_are_read_too(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(f"{THINGS}?per_page=100", json=numbered(1, 2, 1))
    http.get(f"{THINGS}?per_page=100&page=2", json=numbered(2, 3, 2))
    http.get(f"{THINGS}?per_page=100&page=3", json=numbered(3, 3, 3))
    assert [each["id"] for each in list_all(transport)] == [1, 2, 3]


def test_a_list_that_has_become_shorter_ends_where_it_ends(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(f"{THINGS}?per_page=100", json=numbered(1, 10**9, 1))
    http.get(f"{THINGS}?per_page=100&page=2", json=numbered(2, 10**9, 2))
    http.get(f"{THINGS}?per_page=100", json=numbered(1, 2, 1))
    http.get(f"{THINGS}?per_page=100&page=2", json=numbered(2, 2, 2))
    http.get(THINGS, status=404, json={"errors": ["No"]})
    assert [each["id"] for each in list_all(transport)] == [1, 2]
    assert len(http.calls) == 3 + 2 + PAGES_AT_ONCE - 2


def test_a_number_of_pages_does_not_make_a_list_a_numbered_one(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(
        f"{THINGS}?per_page=100", json={**page("/API/things/?last_id=2&xpage=2", 1), "pages": 2}
    )
    http.get(f"{THINGS}?last_id=2&xpage=2", json=page(None, 2))
    assert [each["id"] for each in list_all(transport)] == [1, 2]


def test_a_circle_of_pages_ends(transport: Transport, http: RequestsMock) -> None:
    http.get(THINGS, json=page("/API/things/?page=2", 1))
    with pytest.raises(IconikUnavailable, match="form a loop"):
        list_all(transport)


@pytest.mark.parametrize(
    "body",
    ["null", "[]", "{}", '{"objects": null}', '{"objects": {}}', '{"objects": [1]}', '"x"', ""],
)
def test_an_answer_that_is_no_list_is_an_outage(
    transport: Transport, http: RequestsMock, body: str
) -> None:
    http.get(THINGS, body=body)
    with pytest.raises(IconikUnavailable, match="iconik's answer is not a list"):
        list_all(transport)


def test_a_page_that_fails_in_passing_is_asked_for_again(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(f"{THINGS}?per_page=100", json=page("/API/things/?page=2", 1))
    http.get(f"{THINGS}?page=2", status=502)
    http.get(f"{THINGS}?page=2", json=page(None, 2))
    assert [each["id"] for each in list_all(transport)] == [1, 2]


# Lists that change while they are read


def of_total(total: int, answer: dict[str, Any]) -> dict[str, Any]:
    """A page of a list that tells how many objects there are in all."""
    return {**answer, "total": total}


def test_a_list_that_something_was_taken_out_of_is_read_again_and_shows_each_object_once(
    transport: Transport, http: RequestsMock
) -> None:
    # 1 is taken out after the first page was read, and 3 moves there.
    http.get(f"{THINGS}?per_page=100", json=of_total(4, numbered(1, 2, 1, 2)))
    http.get(f"{THINGS}?per_page=100", json=of_total(3, numbered(1, 2, 2, 3)))
    http.get(f"{THINGS}?per_page=100&page=2", json=of_total(3, numbered(2, 2, 4)))
    assert [each["id"] for each in list_all(transport)] == [1, 2, 4, 3]


def test_a_list_that_stays_as_it_is_is_read_once(transport: Transport, http: RequestsMock) -> None:
    http.get(f"{THINGS}?per_page=100", json=of_total(2, numbered(1, 2, 1)))
    http.get(f"{THINGS}?per_page=100&page=2", json=of_total(2, numbered(2, 2, 2)))
    list_all(transport)
    assert len(http.calls) == 2


def test_a_list_that_pages_by_the_last_id_may_count_what_is_left_of_it(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(f"{THINGS}?per_page=100", json=of_total(2, page("/API/things/?last_id=1", 1)))
    http.get(f"{THINGS}?last_id=1", json=of_total(1, page(None, 2)))
    assert [each["id"] for each in list_all(transport)] == [1, 2]
    assert len(http.calls) == 2


def test_a_list_that_changes_all_the_time_is_read_a_few_times_and_that_is_told(
    transport: Transport, http: RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    http.get(f"{THINGS}?per_page=100", json=of_total(2, numbered(1, 2, 1)))
    http.get(f"{THINGS}?per_page=100&page=2", json=of_total(3, numbered(2, 2, 2, 3)))
    assert [each["id"] for each in list_all(transport)] == [1, 2, 3]
    assert len(http.calls) == 2 * READINGS
    assert "could not list the things consistently" in caplog.text


# Lists that end before their end


def whole(transport: Transport) -> list[dict[str, Any]]:
    """Read a list that is evidence of what there isn't."""
    return transport.whole("things/", "list the things", "can_read_things")


READERS = pytest.mark.parametrize("read", [list_all, whole])


@READERS
@pytest.mark.parametrize(
    ("answer", "lack"),
    [
        ({"total": 8}, "6 of 8 objects"),
        ({"total": 8, "pages": 2}, "6 of 8 objects"),
        ({"total": 12_345}, "6 of 12,345 objects"),
        ({"pages": 2}, "1 of 2 pages"),
        ({"total": 6, "pages": 2}, "1 of 2 pages"),
        ({"total": None, "pages": 2}, "1 of 2 pages"),
        ({"total": "8", "pages": 2}, "1 of 2 pages"),
        ({"total": True, "pages": 2}, "1 of 2 pages"),
    ],
)
def test_a_list_that_holds_less_than_it_tells_is_read_again_and_then_not_taken(
    transport: Transport, http: RequestsMock, read: Read, answer: dict[str, Any], lack: str
) -> None:
    http.get(THINGS, json={**page(None, 1, 2, 3, 4, 5, 6), **answer})
    with pytest.raises(Incomplete) as caught:
        read(transport)
    assert str(caught.value) == (f"could not list the things: the list is incomplete: {lack}")
    assert len(http.calls) == READINGS


@READERS
@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"total": None, "pages": None},
        {"total": 1, "pages": 0},
        {"total": 0, "pages": 1},
        {"total": "8", "pages": "2"},
        {"total": [8], "pages": {}},
        {"total": -1, "pages": -1},
    ],
)
def test_a_list_that_tells_no_more_than_it_holds_is_taken(
    transport: Transport, http: RequestsMock, read: Read, answer: dict[str, Any]
) -> None:
    http.get(THINGS, json={**page(None, 1, 2), **answer})
    assert [each["id"] for each in read(transport)] == [1, 2]
    assert len(http.calls) == 1


@READERS
def test_a_list_whose_next_page_is_missing_for_a_moment_is_read_again(
    transport: Transport, http: RequestsMock, read: Read
) -> None:
    http.get(f"{THINGS}?per_page=100", json=of_total(3, page(None, 1, 2)))
    http.get(f"{THINGS}?per_page=100", json=of_total(3, page("/API/things/?last_id=2", 1, 2)))
    http.get(f"{THINGS}?last_id=2", json=of_total(3, page(None, 3)))
    assert [each["id"] for each in read(transport)] == [1, 2, 3]


def test_of_a_list_that_is_evidence_only_the_last_reading_counts(
    transport: Transport, http: RequestsMock
) -> None:
    first, last = ({"objects": [{"id": "1", "size": size}], "total": 2} for size in (5, 6))
    http.get(THINGS, json=first)
    http.get(THINGS, json={**last, "total": 1})
    assert whole(transport) == [{"id": "1", "size": 6}]


def test_an_object_that_is_listed_twice_counts_once(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(THINGS, json=of_total(3, page(None, 1, 2, 2)))
    with pytest.raises(Incomplete, match="2 of 3 objects"):
        whole(transport)


def test_objects_without_an_id_count_one_by_one(transport: Transport, http: RequestsMock) -> None:
    http.get(THINGS, json={"objects": [{}, {"id": None}, {"id": ["1"]}], "total": 3})
    assert len(list_all(transport)) == len(whole(transport)) == 3


def test_what_is_added_to_a_list_by_the_last_id_behind_what_was_read_is_read_then(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(f"{THINGS}?per_page=100", json=of_total(2, page("/API/things/?last_id=5", 5)))
    http.get(f"{THINGS}?last_id=5", json=of_total(3, page(None, 6)))
    http.get(f"{THINGS}?per_page=100", json=of_total(3, page("/API/things/?last_id=5", 1, 5)))
    http.get(f"{THINGS}?last_id=5", json=of_total(3, page(None, 6)))
    assert [each["id"] for each in whole(transport)] == [1, 5, 6]


@READERS
@pytest.mark.parametrize("following", ["last_id=2", "page=2"])
def test_a_later_page_that_is_not_found_is_not_a_list_that_is_not_found(
    transport: Transport, http: RequestsMock, read: Read, following: str
) -> None:
    http.get(f"{THINGS}?per_page=100", json=page(f"/API/things/?{following}", 1, 2))
    http.get(f"{THINGS}?{following}", status=404, json={"errors": ["No"]})
    with pytest.raises(Incomplete, match="one of its pages is gone"):
        read(transport)


@READERS
def test_a_numbered_page_that_is_not_found_each_time_is_told(
    transport: Transport, http: RequestsMock, read: Read
) -> None:
    http.get(f"{THINGS}?per_page=100", json=numbered(1, 2, 1))
    http.get(f"{THINGS}?per_page=100&page=2", status=404, json={"errors": ["No"]})
    with pytest.raises(Incomplete, match="1 of 2 pages"):
        read(transport)


@READERS
def test_a_list_that_is_not_found_is_not_found(
    transport: Transport, http: RequestsMock, read: Read
) -> None:
    http.get(THINGS, status=404, json={"errors": ["No"]})
    with pytest.raises(NotFound):
        read(transport)


def test_what_an_incomplete_list_holds_is_shown_before_it_is_told(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(THINGS, json=of_total(3, page(None, 1, 2)))
    listed = transport.pages("things/", "list", "can")
    assert [next(listed)["id"], next(listed)["id"]] == [1, 2]
    with pytest.raises(Incomplete):
        next(listed)
