"""Which checksums can be compared, and what they say."""

import pytest

from b2_iconik.domain.checksums import Checksum, Comparison, checksum, compare, disagree
from tests.makers import on_b2

MD5, OTHER_MD5 = "0" * 32, "f" * 32
SHA1 = "a" * 40


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (("md5", MD5), ("md5", MD5), "same"),
        (("md5", MD5), ("md5", OTHER_MD5), "different"),
        (("", MD5), ("", OTHER_MD5), "unclear"),
        (("", MD5), ("sha1", SHA1), "incomparable"),
        (("md5", MD5), ("xxh128", MD5), "incomparable"),
        (None, ("md5", MD5), "incomparable"),
    ],
)
def test_checksums_say_no_more_than_their_algorithms_allow(
    one: Checksum | None, other: Checksum | None, said: Comparison
) -> None:
    assert (compare(one, other), compare(other, one)) == (said, said)


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (("md5", MD5), ("md5", OTHER_MD5), True),
        (("", MD5), ("", OTHER_MD5), True),
        (("md5", MD5), ("md5", MD5), False),
        (("md5", MD5), ("sha1", SHA1), False),
    ],
)
def test_checksums_disagree_where_they_may_be_of_one_algorithm(
    one: Checksum, other: Checksum, differ: bool
) -> None:
    assert disagree(one, other) is differ


@pytest.mark.parametrize("text", [f"unverified:{SHA1}", f"Unverified:{SHA1}", None, "none", ""])
def test_what_b2_has_not_verified_is_no_checksum(text: str | None) -> None:
    assert checksum(on_b2(checksum=text)) is None
