"""What operations did with one asset, and where its files are since."""

from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger import protections
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.protections import Protection
from b2_iconik.ledger.tables import holdings
from b2_iconik.report import asset_history
from b2_iconik.report.asset_history import AssetHistory, places
from tests.makers import B2, LL, a_click, expanded
from tests.report.reporting import ended, running
from tests.report.test_todo import BOTH, KEPT, REMOVED


@pytest.fixture
def history(engine: sa.Engine) -> AssetHistory:
    return AssetHistory(engine)


def test_an_unknown_asset_has_no_history(history: AssetHistory) -> None:
    assert history.of("a1") is None


def test_the_newest_operation_comes_first(engine: sa.Engine, history: AssetHistory) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}, "a2": {"ORIGINAL": REMOVED}})
    ended(engine, {"a2": {"ORIGINAL": REMOVED}})
    ended(engine, {"a1": {"ORIGINAL": REMOVED}})
    told = history.of("a1")
    assert told
    assert [each["operation_id"] for each in told["operations"]] == ["operation-3", "operation-1"]
    assert [each["formats"][0]["kind"] for each in told["operations"]] == ["removed", "kept"]


def test_a_long_history_has_pages(
    engine: sa.Engine, history: AssetHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asset_history, "OPERATIONS_A_PAGE", 2)
    for _ in range(3):
        ended(engine, {"a1": {"ORIGINAL": REMOVED}})
    first = history.of("a1")
    assert first
    second = history.of("a1", first["before"])
    assert second
    assert [each["operation_id"] for each in second["operations"]] == ["operation-1"]
    assert (second["before"], second["places"]) == (None, [])


def a_line(storage: str = "ll", time: str = "today", **kinds: str) -> dict[str, Any]:
    told = {"reason": "why", "cause": "", "what_to_do": "Wait."}
    rows = [{"format": name, "kind": kind, **told} for name, kind in kinds.items()]
    where = {"ll_storage_id": storage, "ll_storage": f"LucidLink {storage}"}
    return {**where, "action": "remove", "recorded": "before", "ended": time, "formats": rows}


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("copied", "on LucidLink since"),
        ("removed", "removed from LucidLink"),
        ("kept", "kept on LucidLink"),
        ("failed", "unknown since"),
    ],
)
def test_the_newest_outcome_tells_where_files_are(kind: str, place: str) -> None:
    (told,) = places([a_line(ORIGINAL=kind), a_line(time="yesterday", ORIGINAL="there")])
    assert (told["place"], told["since"]) == (place, "today")
    assert (told["reason"], told["what_to_do"]) == ("why", "Wait.")


@pytest.mark.parametrize("kind", ["superseded", "undone", "under way"])
def test_where_the_newest_operation_did_nothing_an_older_one_tells(kind: str) -> None:
    (told,) = places([a_line(ORIGINAL=kind), a_line(time="yesterday", ORIGINAL="copied")])
    assert (told["place"], told["since"]) == ("on LucidLink since", "yesterday")


def test_where_no_operation_did_anything_it_is_unknown() -> None:
    (told,) = places([a_line(ORIGINAL="undone"), a_line(ORIGINAL="undone")])
    assert (told["place"], told["since"]) == ("unknown", None)


def test_each_format_on_each_storage_has_its_place() -> None:
    lines = [a_line(ORIGINAL="copied", PROXY="removed"), a_line("other", ORIGINAL="absent")]
    shown = ("ll_storage_id", "ll_storage", "format")
    assert [tuple(each[name] for name in shown) for each in places(lines)] == [
        ("ll", "LucidLink ll", "ORIGINAL"),
        ("ll", "LucidLink ll", "PROXY"),
        ("other", "LucidLink other", "ORIGINAL"),
    ]


def test_what_is_done_in_a_running_operation_has_the_time_of_its_click() -> None:
    (told,) = places([a_line(time="", ORIGINAL="copied")])
    assert told["since"] == "before"


def test_the_title_is_the_newest_that_is_known(engine: sa.Engine, history: AssetHistory) -> None:
    expanded(engine, a_click(), ["a1"])
    told = history.of("a1")
    assert told
    assert told["asset"] is None


# What later operations resolved


def resolved(engine: sa.Engine, *, of: Any) -> dict[tuple[str, str], str]:
    found = AssetHistory(engine).resolved(of, ["a1", "a2"])
    return {key: told["operation_id"] for key, told in found.items()}


def test_what_a_later_operation_did_names_it(engine: sa.Engine) -> None:
    kept = ended(engine, {"a1": {"ORIGINAL": KEPT, "PROXY": KEPT}}, formats=BOTH)
    ended(engine, {"a1": {"ORIGINAL": REMOVED}})
    assert resolved(engine, of=kept) == {("a1", "ORIGINAL"): "operation-2"}


def test_what_is_kept_again_later_is_not_resolved(engine: sa.Engine) -> None:
    kept = ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": REMOVED}})
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    assert resolved(engine, of=kept) == {}


def test_what_was_left_to_a_newer_click_names_nothing(engine: sa.Engine) -> None:
    kept = ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": Outcome("superseded", Reason("a newer click"))}})
    assert resolved(engine, of=kept) == {}


def test_nothing_is_resolved_by_what_runs_or_is_on_another_storage(engine: sa.Engine) -> None:
    kept = ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": REMOVED}}, ll_storage_id="another")
    running(engine, {"a1": {"ORIGINAL": REMOVED}})
    assert resolved(engine, of=kept) == {}


@pytest.mark.parametrize("kind", ["removable", "uncopied"])
def test_a_preview_tells_that_files_are_on_lucidlink(kind: str) -> None:
    line = {**a_line(ORIGINAL=kind), "action": "preview"}
    (told,) = places([line, a_line(time="yesterday", ORIGINAL="copied")])
    assert (told["place"], told["since"]) == ("on LucidLink, last seen", "today")


def test_a_preview_that_failed_leaves_it_to_older_operations_to_tell() -> None:
    line = {**a_line(ORIGINAL="failed"), "action": "preview"}
    (told,) = places([line, a_line(time="yesterday", ORIGINAL="copied")])
    assert told["since"] == "yesterday"


def test_what_was_kept_unseen_leaves_it_to_older_operations_to_tell() -> None:
    line = a_line(ORIGINAL="kept")
    line["formats"][0]["cause"] = "protected"
    (told,) = places([line, a_line(time="yesterday", ORIGINAL="removed")])
    assert (told["place"], told["since"]) == ("removed from LucidLink", "yesterday")


def test_a_preview_does_nothing_that_was_left(engine: sa.Engine, history: AssetHistory) -> None:
    kept = ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": Outcome("removable")}}, action="preview")
    assert history.resolved(kept, ["a1"]) == {}


# What operations no longer tell


def test_a_protected_asset_is_known_after_its_operations_are_forgotten(
    engine: sa.Engine, history: AssetHistory
) -> None:
    with writing(engine) as connection:
        protections.write(connection, Protection("a1", "Beach", 0, 1_798_804_800_000, "Ada"))
    told = history.of("a1")
    assert told == {
        "asset_id": "a1",
        "asset": "Beach",
        "protection": {"by": "Ada", "since": "1970-01-01T00:00:00+00:00", "until": "2026-12-31"},
        "to_be_purged": None,
        "places": [],
        "operations": [],
        "before": None,
    }


@pytest.mark.parametrize("title", ["Beach", None])
def test_an_asset_on_lucidlink_is_known_after_its_operations_are_forgotten(
    engine: sa.Engine, history: AssetHistory, title: str | None
) -> None:
    held = {"ll_storage_id": LL, "asset_id": "a1", "format_name": "ORIGINAL", "title": title}
    of = {"number": 1, "operation_id": "operation-1", "b2_storage_id": B2, "since_ms": 0}
    with writing(engine) as connection:
        connection.execute(sa.insert(holdings).values(**held, **of))
    told = history.of("a1")
    assert told
    assert (told["asset"], told["protection"], told["operations"]) == (title, None, [])
