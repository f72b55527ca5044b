"""The sizes of formats, as people read them."""

import pytest

from b2_iconik.domain.sizes import in_units, size_of
from iconik_http.records import File, Format
from tests.makers import LL, ORIGINAL, a_file, on_b2, on_ll

FORMATS = [Format(ORIGINAL, "ORIGINAL")]


def size(*files: File, name: str = "ORIGINAL") -> int | None:
    return size_of(name, FORMATS, files, LL)


def test_the_size_is_that_of_all_files_on_lucidlink() -> None:
    assert size(on_ll("a", size=3), on_ll("b", size=4), on_b2("a", size=9)) == 7


def test_what_is_not_on_lucidlink_has_the_size_of_its_largest_source() -> None:
    other = a_file("storage-other", "a", size=5)
    assert size(on_b2("a", size=9), other) == 9


@pytest.mark.parametrize("unknown", [None, 0, -1, 2**63])
def test_a_size_that_iconik_does_not_know_is_unknown(unknown: int | None) -> None:
    assert size(on_ll("a", size=unknown)) is None


def test_a_format_without_files_has_no_size() -> None:
    assert size() is None


def test_a_format_that_the_asset_lacks_has_no_size() -> None:
    assert size(on_ll("a"), name="PROXY") is None


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 KB"),
        (1499, "1.5 KB"),
        (999_499, "999 KB"),
        (999_500, "1 MB"),
        (18_250_000, "18.2 MB"),
        (20 * 10**9, "20 GB"),
        (10**12, "1 TB"),
        (999_499 * 10**12, "999 PB"),
        (5 * 10**18, "5,000 PB"),
    ],
)
def test_sizes_are_told_as_a_person_reads_them(size: int, told: str) -> None:
    assert in_units(size) == told
