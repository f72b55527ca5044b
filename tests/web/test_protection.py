"""The forms on the page of an asset that protect it, and lift that."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from b2_iconik.common.clock import now_ms
from b2_iconik.common.links import Links
from b2_iconik.common.settings import Settings
from b2_iconik.domain.operation import UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import PROTECTED
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.protections import Protection, write
from b2_iconik.report import asset_history
from b2_iconik.web import asset_pages
from tests.logged import logged_with
from tests.makers import half_done
from tests.web.page import CLIP, NOW, REMOVED, SECRET, Page, basic, titled

pytestmark = pytest.mark.usefixtures("opened_later")

LOOKING = "password-for-looking-only"
# A day in UTC, and when another one is over in every time zone.
TODAY_MS = 1_793_880_000_000
UNTIL_MS = 1_798_804_800_000
KEPT = Outcome("kept", PROTECTED(by="Ada", until="2026-12-31"))
LINK = f'<a href="/assets/{CLIP}#protection">Lift the protection</a>'
EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 5 November 2026."""
    monkeypatch.setattr(asset_pages, "now_ms", lambda: TODAY_MS)
    monkeypatch.setattr(asset_history, "now_ms", lambda: TODAY_MS)


@pytest.fixture
def changes() -> dict[str, Any]:
    return {"page_password": LOOKING, "public_url": "https://plugin.test"}


def post(
    page: Page,
    form: str,
    data: dict[str, str],
    asset_id: str = CLIP,
    name: str = "ada",
    **headers: str,
) -> TestResponse:
    """Send a form, as a browser does unless headers say otherwise."""
    return page.client.post(
        f"/assets/{asset_id}/{form}",
        data=data,
        headers={"Sec-Fetch-Site": "same-origin", **basic(SECRET, name), **headers},
    )


def protected(page: Page, by: str = "Ada") -> None:
    with writing(page.engine) as connection:
        write(connection, Protection(CLIP, "Beach", TODAY_MS, UNTIL_MS, by))


def protection(page: Page) -> Any:
    return page.json(f"/assets/{CLIP}")["protection"]


# Keep until


def test_an_asset_is_kept_until_a_day(page: Page) -> None:
    titled(page, "Beach")
    answer = post(page, "protect", {"until": "2026-12-31"})
    assert (answer.status_code, answer.location) == (303, f"/assets/{CLIP}?notice=protected")
    shown = page.text(answer.location)
    assert "The asset is protected: no Remove will delete it." in shown
    assert "Protected by ada until 2026-12-31. Set 2026-11-05 12:00:00 UTC ." in shown


def test_a_form_is_answered_in_json(page: Page) -> None:
    titled(page, "Beach")
    answer = post(page, "protect", {"until": "2026-12-31"}, Accept="application/json")
    told = {"by": "ada", "since": "2026-11-05T12:00:00+00:00", "until": "2026-12-31"}
    assert (answer.status_code, answer.json) == (
        200,
        {
            "message": "The asset is protected: no Remove will delete it.",
            "asset_id": CLIP,
            "protection": told,
            "is_late": False,
        },
    )
    assert protection(page) == told


def test_it_is_told_if_a_deletion_had_begun(page: Page) -> None:
    _, claims = page.begun([CLIP])
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    answer = post(page, "protect", {"until": "2026-12-31"})
    assert answer.location.endswith("?notice=late")
    as_json = post(page, "protect", {"until": "2026-12-31"}, Accept="application/json")
    assert as_json.get_json()["is_late"]
    assert "a Remove had already begun to delete it, and will finish" in page.text(answer.location)


def marked(page: Page, until_ms: int) -> str:
    """The id of a Remove that has marked files of the asset deleted, to be undone until a time."""
    operation, claims = page.begun([CLIP])
    (claimed,) = claims.take(1, NOW)
    claimed.progress = AssetProgress(marked=half_done({"set-1": "ORIGINAL"}))
    claims.open_window(UndoWindow(NOW, until_ms, is_about=False))
    claims.note(claimed, "done", {"ORIGINAL": REMOVED})
    return operation.id


def test_it_is_told_that_iconik_will_purge_what_a_remove_has_marked(page: Page) -> None:
    remove = marked(page, TODAY_MS + 3_600_000)
    answer = post(page, "protect", {"until": "2026-12-31"})
    assert answer.location.endswith("?notice=marked")
    shown = page.text(answer.location)
    assert "The asset is protected, but iconik will purge files of it" in shown
    assert "iconik purges them after 2026-11-05 13:00:00 UTC , although" in shown
    assert f'href="/operations/{remove}"' in page.get(f"/assets/{CLIP}").text
    assert page.json(f"/assets/{CLIP}")["to_be_purged"] == {
        "operation_id": remove,
        "after": "2026-11-05T13:00:00+00:00",
    }


def test_what_iconik_has_purged_by_now_is_no_longer_told(page: Page) -> None:
    marked(page, TODAY_MS)
    answer = post(page, "protect", {"until": "2026-12-31"})
    assert answer.location.endswith("?notice=protected")
    assert page.json(f"/assets/{CLIP}")["to_be_purged"] is None


@pytest.mark.parametrize(
    "until", ["2026-11-04", "1999-12-31", "2036-11-06", "soon", "", "10y", EVIL]
)
def test_what_is_no_day_to_come_is_refused_and_protects_nothing(page: Page, until: str) -> None:
    titled(page, "Beach")
    answer = post(page, "protect", {"until": until})
    assert answer.status_code == 400
    told = "The day must be a day from 2026-11-05 to 2036-11-05."
    assert told in answer.text
    assert protection(page) is None


@pytest.mark.parametrize(("form", "field"), [("protect", "day"), ("lift", "reason")])
def test_a_form_without_its_field_is_refused(page: Page, form: str, field: str) -> None:
    titled(page, "Beach")
    answer = post(page, form, {}, Accept="application/json")
    assert answer.status_code == 400
    assert answer.json
    assert answer.json["message"].startswith(f"The {field} must ")


def test_a_protection_is_not_shortened(page: Page) -> None:
    protected(page)
    answer = post(page, "protect", {"until": "2026-12-30"})
    assert answer.status_code == 409
    assert (
        "the asset is protected by Ada until 2026-12-31; to set an earlier day, lift" in answer.text
    )
    assert protection(page)["until"] == "2026-12-31"


@pytest.mark.parametrize("form", ["protect", "lift"])
def test_an_asset_that_nobody_knows_is_not_found(page: Page, form: str) -> None:
    answer = post(page, form, {"until": "2026-12-31", "reason": "why"}, asset_id="a\0")
    assert answer.status_code == 404


def test_the_form_offers_no_day_that_is_refused(page: Page) -> None:
    titled(page, "Beach")
    assert 'min="2026-11-05" max="2036-11-05" value=""' in page.get(f"/assets/{CLIP}").text


def test_the_form_of_a_protected_asset_offers_no_earlier_day(page: Page) -> None:
    protected(page)
    html = page.get(f"/assets/{CLIP}").text
    assert 'min="2026-12-31" max="2036-11-05" value="2026-12-31"' in html


def test_a_protected_asset_without_stored_operations_has_a_page(page: Page) -> None:
    protected(page)
    shown = page.text(f"/assets/{CLIP}")
    assert "Beach" in shown
    assert "No stored operation has touched the asset." in shown


# Lift the protection


def test_a_protection_is_lifted(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    protected(page)
    lines = logged_with(caplog, "by Ada until 2026-12-31, by ben: it is locked")
    answer = post(page, "lift", {"reason": " it is\nlocked"}, name="ben")
    assert (answer.status_code, answer.location) == (303, f"/assets/{CLIP}?notice=lifted")
    assert len(lines) == 1
    titled(page, "Beach")
    assert "The protection is lifted" in page.text(answer.location)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 301])
def test_a_protection_is_not_lifted_without_a_reason(page: Page, reason: str) -> None:
    protected(page)
    answer = post(page, "lift", {"reason": reason})
    assert answer.status_code == 400
    assert "The reason must say why, in at most 300 characters." in answer.text
    assert protection(page)


def test_an_asset_that_is_not_protected_has_nothing_to_lift(page: Page) -> None:
    titled(page, "Beach")
    answer = post(page, "lift", {"reason": "why"}, Accept="application/json")
    assert answer.status_code == 409
    message = "Nothing has changed: the asset is not protected, or its protection has ended."
    assert answer.json == {"message": message}
    assert 'id="lift"' not in page.get(f"/assets/{CLIP}").text


# Who may


@pytest.mark.parametrize("form", ["protect", "lift"])
def test_other_sites_send_no_form(page: Page, form: str) -> None:
    protected(page)
    data = {"until": "2027-01-01", "reason": "why"}
    answer = post(page, form, data, **{"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, protection(page)["until"]) == (403, "2026-12-31")


@pytest.mark.parametrize("form", ["protect", "lift"])
def test_the_password_for_looking_sends_no_form(page: Page, form: str) -> None:
    protected(page)
    data = {"until": "2027-01-01", "reason": "why"}
    answer = post(page, form, data, **basic(LOOKING))
    assert (answer.status_code, protection(page)["until"]) == (403, "2026-12-31")


def test_the_password_for_looking_shows_a_protection_without_forms(page: Page) -> None:
    protected(page)
    html = page.get(f"/assets/{CLIP}", LOOKING).text
    assert "Protected by Ada until 2026-12-31" in html
    assert "<form" not in html


def test_what_people_enter_is_no_part_of_the_page(page: Page) -> None:
    protected(page, by=EVIL)
    assert "<script>alert" not in page.get(f"/assets/{CLIP}").text
    answer = post(page, "protect", {"until": "2026-12-01"})
    assert answer.status_code == 409
    assert "<script>alert" not in answer.text


# The report


def test_what_was_kept_leads_to_the_page_that_lifts_the_protection(page: Page) -> None:
    operation_id = titled(page, "Beach", KEPT)
    html = page.get(f"/operations/{operation_id}").text
    assert "protected by Ada until 2026-12-31" in html
    assert "Lift the protection on the asset&#39;s page, then try again." in html
    # For a wide screen and for a narrow one.
    assert html.count(LINK) == 2
    (row,) = page.json(f"/operations/{operation_id}")["report"]
    assert (row["kind"], row["cause"]) == ("kept", "protected")


def test_whoever_came_by_a_link_is_led_to_no_other_page(page: Page, settings: Settings) -> None:
    operation_id = titled(page, "Beach", KEPT)
    links = Links("https://plugin.test", settings.secrets)
    link = (links.to(operation_id, now_ms()) or "").removeprefix("https://plugin.test")
    html = page.client.get(link).text
    assert "protected by Ada until 2026-12-31" in html
    assert "#protection" not in html


def test_what_was_removed_since_needs_no_lifting(page: Page) -> None:
    operation_id = titled(page, "Beach", KEPT)
    titled(page, "Beach", REMOVED)
    assert LINK not in page.get(f"/operations/{operation_id}").text


def test_what_is_protected_is_left_to_do(page: Page) -> None:
    titled(page, "Beach", KEPT)
    assert "Protected 1 asset" in page.text("/todo")
