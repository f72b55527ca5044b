"""The page of an asset, the list of what is left to do, and the links between operations."""

import csv
import io

import pytest

from b2_iconik.domain.advice import REMEDIES
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.report import asset_history, todo
from b2_iconik.report.asset_history import AssetHistory
from tests.makers import completion, found
from tests.web.page import CLIP, KEPT, NOW, REMOVED, Page, retry, titled

pytestmark = pytest.mark.usefixtures("opened_later")

EVIL = Outcome("kept", Reason("=1+1 differs <script>", Cause.DIFFERS))


# One asset


def test_an_asset_no_operation_has_touched_is_a_page_that_says_so(page: Page) -> None:
    answer = page.get("/assets/a1")
    assert answer.status_code == 404
    assert "No operation has touched this asset" in answer.text


@pytest.mark.parametrize("asset_id", ["%00", "' OR 1=1", "%25", "a" * 5000])
def test_what_is_no_asset_is_not_found(page: Page, asset_id: str) -> None:
    assert page.get(f"/assets/{asset_id}").status_code == 404


def test_no_null_character_reaches_the_database(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(AssetHistory, "of", lambda _, asset_id, __: asked.append(asset_id))
    assert page.get("/assets/a%00").status_code == 404
    assert asked == [r"a\x00"]


def test_two_storages_are_told_apart_by_name(page: Page) -> None:
    for name, outcome in (("Post", REMOVED), ("Archive", KEPT)):
        operation_id = page.ended({CLIP: {"ORIGINAL": outcome}}, ll_storage_id=f"id of {name}")
        number = found(page.engine, operation_id).number
        page.ledger.note_names(number, storages={"ll": name})
    shown = page.text(f"/assets/{CLIP}")
    assert "ORIGINAL on Post removed from LucidLink" in shown
    assert "ORIGINAL on Archive kept on LucidLink" in shown


def test_an_asset_shows_its_operations_and_where_its_files_are(page: Page) -> None:
    operation_id = titled(page, "Beach")
    shown = page.text(f"/assets/{CLIP}")
    assert "ORIGINAL kept on LucidLink: <b>clip.mov</b> differs" in shown
    assert REMEDIES[Cause.DIFFERS] in shown
    assert "Remove from LucidLink: Beach" in shown
    html = page.get(f"/assets/{CLIP}").text
    assert f'href="/operations/{operation_id}?text={CLIP}#report"' in html
    assert f'href="https://iconik.test/asset/{CLIP}"' in html


def test_an_asset_whose_title_is_unknown_is_untitled(page: Page) -> None:
    page.ended({CLIP: {"ORIGINAL": REMOVED}})
    shown = page.text(f"/assets/{CLIP}")
    assert "untitled asset" in shown
    assert CLIP not in shown


def test_an_asset_is_the_same_as_json(page: Page) -> None:
    operation_id = titled(page, "Beach")
    told = page.json(f"/assets/{CLIP}")
    assert (told["asset"], told["older"]) == ("Beach", None)
    assert told["places"][0]["kind"] == "kept"
    (operation,) = told["operations"]
    assert operation["operation_id"] == operation_id
    assert operation["formats"][0]["cause"] == "differs"


def test_the_history_of_an_asset_goes_on(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asset_history, "OPERATIONS_A_PAGE", 1)
    first, second = titled(page, "Beach"), titled(page, "Beach")
    newest = page.json(f"/assets/{CLIP}")
    assert [each["operation_id"] for each in newest["operations"]] == [second]
    older = page.json(newest["older"])
    assert [each["operation_id"] for each in older["operations"]] == [first]
    assert "Newest operations" in page.text(newest["older"])


# What is left to do


def test_with_nothing_left_to_do_the_list_says_so(page: Page) -> None:
    titled(page, "Beach", REMOVED)
    assert "Nothing is left to do." in page.text("/todo")


def test_what_is_left_is_shown_with_its_remedy_and_links(page: Page) -> None:
    operation_id = titled(page, "Beach")
    shown = page.text("/todo")
    assert "Differs from its master 1 asset" in shown
    assert REMEDIES[Cause.DIFFERS] in shown
    assert "Retry the operation" in shown
    assert CLIP not in shown
    html = page.get("/todo").text
    assert f'href="/assets/{CLIP}">Beach</a>' in html
    assert f'action="/operations/{operation_id}/retry"' in html


def test_of_several_operations_each_has_its_button(page: Page) -> None:
    page.ended({"a1": {"ORIGINAL": KEPT}})
    page.ended({"a2": {"ORIGINAL": KEPT}})
    assert page.get("/todo").text.count('aria-label="Retry Remove from LucidLink') == 2


def test_the_button_retries_what_is_left(page: Page) -> None:
    operation_id = titled(page, "Beach")
    answer = page.press("retry", operation_id, data={"what": "left"})
    assert answer.location.endswith("?notice=retried")


def test_more_of_a_cause_is_on_a_page_of_its_own(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(todo, "ROWS_A_GROUP", 1)
    monkeypatch.setattr(todo, "ROWS_A_PAGE", 2)
    page.ended({f"a{number}": {"ORIGINAL": KEPT} for number in range(3)})
    assert "and 2 more" in page.text("/todo")
    first = page.json("/todo?cause=differs")
    assert len(first["groups"][0]["rows"]) == 2
    assert len(page.json(first["more"])["groups"][0]["rows"]) == 1
    assert "First page" in page.text(first["more"])


@pytest.mark.parametrize("query", ["cause=odd", "start=-1", "cause=%00"])
def test_what_the_list_does_not_understand_is_passed_over(page: Page, query: str) -> None:
    page.ended({"a1": {"ORIGINAL": KEPT}})
    assert len(page.json(f"/todo?{query}")["groups"]) == 1


def test_a_cause_of_which_nothing_is_left_is_empty(page: Page) -> None:
    page.ended({"a1": {"ORIGINAL": KEPT}})
    assert "Nothing is left to do for this reason." in page.text("/todo?cause=lost")


def test_a_selection_that_could_not_be_opened_is_left_to_do(page: Page) -> None:
    operation = found(page.engine, page.click())
    gone = {f"collection {CLIP}": Reason("no", Cause.NO_ANSWER)}
    page.ledger.expand(operation.number, {}, gone)
    completion(page.engine).end(found(page.engine, operation.id), NOW)
    shown = page.text("/todo")
    assert "No answer from iconik or B2 1 selection" in shown
    assert "collection" in shown
    assert CLIP not in shown


def test_an_operation_that_failed_at_once_is_left_to_do(page: Page) -> None:
    operation = found(page.engine, page.click())
    completion(page.engine).fail(operation.number, Reason("no", Cause.TOKEN_REJECTED), NOW)
    assert "the whole selection" in page.text("/todo")


def test_the_list_as_csv_has_no_formula(page: Page) -> None:
    operation_id = titled(page, "Beach", EVIL)
    answer = page.get("/todo.csv")
    assert answer.mimetype == "text/csv"
    headings, row = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    told = dict(zip(headings, row, strict=True))
    assert (told["asset"], told["cause"]) == ("Beach", "differs")
    assert told["operation_id"] == operation_id
    assert told["reason"].startswith("'=1+1")


def test_what_a_title_contains_is_no_part_of_the_page(page: Page) -> None:
    titled(page, "<script>alert(1)</script>", EVIL)
    for path in ("/todo", f"/assets/{CLIP}"):
        assert "<script>alert" not in page.get(path).text


@pytest.mark.parametrize("path", ["/todo", f"/assets/{CLIP}"])
def test_no_id_in_a_reason_is_shown(page: Page, path: str) -> None:
    titled(page, "Beach", Outcome("kept", Reason(f"file set {CLIP} is gone", Cause.LOST)))
    shown = page.text(path)
    assert "file set is gone" in shown
    assert CLIP not in shown


# Retries


def test_a_retried_operation_names_its_retry(page: Page) -> None:
    first = titled(page, "Beach")
    second = retry(page, first, REMOVED)
    (told,) = page.json(f"/operations/{first}")["retried_as"]
    assert (told["operation_id"], told["result"]) == (second, "done")
    assert "Retried by Remove from LucidLink" in page.text(f"/operations/{first}")


def test_what_a_retry_has_done_is_marked_and_no_longer_left_to_do(page: Page) -> None:
    first = titled(page, "Beach")
    second = retry(page, first, REMOVED)
    (row,) = page.json(f"/operations/{first}")["report"]
    assert row["resolved"]["operation_id"] == second
    shown = page.text(f"/operations/{first}")
    assert "Done since, by Remove from LucidLink" in shown
    assert REMEDIES[Cause.DIFFERS] not in shown
    assert page.json("/todo")["groups"] == []


def test_what_a_retry_has_not_done_either_is_left_by_the_retry(page: Page) -> None:
    first = titled(page, "Beach")
    second = retry(page, first, KEPT)
    assert page.json(f"/operations/{first}")["report"][0]["resolved"] is None
    (group,) = page.json("/todo")["groups"]
    assert [row["operation_id"] for row in group["rows"]] == [second]


# The search


def ids(page: Page, query: str) -> list[str]:
    return [each["operation_id"] for each in page.json(f"/operations?{query}")["operations"]]


@pytest.mark.parametrize(
    "query",
    [
        "text=each", "text=CLIP.m", "text=differs", "text=Differs+from+its+master",
        "cause=differs", f"text=https://iconik.test/asset/{CLIP}/view", "text=master&cause=differs",
    ],
)  # fmt: skip
def test_an_operation_is_found(page: Page, query: str) -> None:
    operation_id = titled(page, "Beach")
    page.ended({"b1": {"ORIGINAL": REMOVED}})
    assert ids(page, query) == [operation_id]


@pytest.mark.parametrize("query", ["cause=lost", "text=mxf", "text=kept", "text=no+answer"])
def test_what_no_operation_has_is_not_found(page: Page, query: str) -> None:
    titled(page, "Beach")
    assert ids(page, query) == []


def test_an_operation_is_found_by_the_address_of_its_page(page: Page) -> None:
    operation_id = titled(page, "Beach")
    page.click(asset_ids=("b1",))
    assert ids(page, f"text=https://plugin.test/operations/{operation_id}") == [operation_id]


def test_a_file_is_found_by_a_name_that_is_not_ascii(page: Page) -> None:
    kept = Outcome("kept", Reason('Mädchen "5".mov differs', Cause.DIFFERS))
    operation_id = titled(page, "Beach", kept)
    assert ids(page, 'text=mädchen+"5"') == [operation_id]


def test_what_was_not_started_is_found_by_its_cause(page: Page) -> None:
    operation, _ = page.begun()
    page.fail(operation)
    assert ids(page, "cause=not_started") == [operation.id]


def test_the_cause_of_a_search_stays(page: Page) -> None:
    titled(page, "Beach")
    shown = page.get("/operations?cause=differs").text
    assert '<input type="hidden" name="cause" value="differs">' in shown
    assert "Show all" in shown


def test_a_search_for_an_asset_leads_to_its_rows(page: Page) -> None:
    operation_id = titled(page, "Beach")
    assert f'href="/operations/{operation_id}?text=beach#report"' in (
        page.get("/operations?text=beach").text
    )


def test_a_search_that_is_not_about_assets_leads_to_the_operation(page: Page) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": REMOVED}})
    assert f'href="/operations/{operation_id}">' in page.get("/operations?text=0b5c").text
