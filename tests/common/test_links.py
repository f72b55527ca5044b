"""Links that open the page of one operation, for seven days."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from itsdangerous import Signer

from b2_iconik.common.links import EXPIRES_AFTER, Links, today

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
SECRET = "secret-of-the-links-0123456789abcdef"
WHERE = "https://plugin.example.com/b2"
NOW = 1_700_000_000_000
LIFE = EXPIRES_AFTER // timedelta(milliseconds=1)


def links(*secrets: str) -> Links:
    return Links(WHERE, secrets or (SECRET,))


def value(made: Links, operation_id: str = ID, since_ms: int = NOW) -> str:
    """The parameter of a link."""
    link = made.to(operation_id, since_ms)
    assert link
    return parse_qs(urlsplit(link).query)["link"][0]


def test_a_link_leads_to_the_page_of_the_operation_where_people_reach_it() -> None:
    link = links().to(ID, NOW)
    assert link
    assert link.startswith(f"{WHERE}/operations/{ID}?link=")


def test_without_an_address_no_link_is_made() -> None:
    assert Links(None, (SECRET,)).to(ID, NOW) is None


def test_without_an_address_earlier_links_still_work() -> None:
    assert Links(None, (SECRET,)).is_valid(ID, value(links()), NOW)


@pytest.mark.parametrize(("age_ms", "is_valid"), [(0, True), (LIFE - 1, True), (LIFE, False)])
def test_a_link_expires_after_seven_days(age_ms: int, is_valid: bool) -> None:
    assert links().is_valid(ID, value(links()), NOW + age_ms) == is_valid


def test_a_link_opens_no_other_operation() -> None:
    assert not links().is_valid(OTHER, value(links()), NOW)


def test_a_link_cannot_be_made_to_last_longer() -> None:
    expires, signature = value(links()).split(".")
    assert not links().is_valid(ID, f"{int(expires) + 1}.{signature}", NOW)


@pytest.mark.parametrize("forged", ["", ".", "9999999999", "9999999999.", "9999999999.é", "\x00.a"])
def test_what_is_no_link_opens_nothing(forged: str) -> None:
    assert not links().is_valid(ID, forged, NOW)


def test_a_link_of_another_secret_opens_nothing() -> None:
    assert not links("another-secret").is_valid(ID, value(links()), NOW)


def test_a_link_survives_the_rotation_of_the_secret() -> None:
    assert links("new-secret", SECRET).is_valid(ID, value(links()), NOW)


def test_new_links_are_signed_with_the_new_secret() -> None:
    assert links("new-secret").is_valid(ID, value(links("new-secret", SECRET)), NOW)


def test_what_the_secret_signs_elsewhere_is_no_link() -> None:
    signed = Signer(SECRET).sign(f"{ID}.9999999999").decode()
    assert not links().is_valid(ID, signed.removeprefix(f"{ID}."), NOW)


def test_a_link_of_today_stays_the_same_all_day() -> None:
    assert today(NOW) == today(NOW + 1) == today(today(NOW))
    assert today(NOW) <= NOW < today(NOW) + 86_400_000
