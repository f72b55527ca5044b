"""Operations on assets that people have protected, before the click or while it is carried out."""

from typing import Any

import pytest

from b2_iconik.domain.click import Action
from b2_iconik.domain.reasons import PROTECTED
from b2_iconik.ledger import protections
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.protections import Protection
from iconik_http.records import Job
from tests.makers import ASSET, a_click, on_b2, on_ll
from tests.operation.benches import ADD, REMOVE, Bench

OTHER = "asset-2"
BOTH = (ASSET, OTHER)
REASON = PROTECTED(by="Ada", until="2026-12-31")
CHANGES = (
    "copy_to_storage", "delete_file_set", "delete_file_sets", "purge_file_set", "purge_file_sets",
)  # fmt: skip


def protect(bench: Bench, asset_id: str = ASSET) -> None:
    with writing(bench.engine) as connection:
        protections.write(connection, Protection(asset_id, "", 0, 1_798_804_800_000, "Ada"))


def kept(asset_id: str = ASSET) -> dict[str, Any]:
    """What a report says of a protected asset."""
    return {"asset_id": asset_id, "format": "ORIGINAL", "kind": "kept", "reason": REASON}


@pytest.mark.parametrize(("action", "result"), [("remove", "failed"), ("preview", "partly done")])
def test_nothing_is_asked_about_a_protected_asset(
    bench: Bench, action: Action, result: str
) -> None:
    bench.iconik.has(on_ll(), on_b2())
    protect(bench)
    told = bench.do(a_click(action, asset_ids=(ASSET,)))
    assert (told["result"], told["problems"]) == (result, [kept()])
    assert [call for call in bench.iconik.calls if ASSET in call] == []
    assert bench.iconik.called(*CHANGES) == []


def test_a_protected_asset_is_not_copied_to_b2(bench: Bench) -> None:
    bench.iconik.shows_files = True
    for each in BOTH:
        bench.iconik.has(on_ll(), asset_id=each)
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    protect(bench)
    told = bench.do(a_click("remove", asset_ids=BOTH))
    assert kept() in told["problems"]
    ((*_, copied, _),) = bench.iconik.called("copy_to_storage")
    assert copied == [OTHER]


def test_other_assets_of_the_click_are_removed(bench: Bench) -> None:
    for each in BOTH:
        bench.iconik.has(on_ll(), on_b2(), asset_id=each)
    protect(bench)
    told = bench.do(a_click("remove", asset_ids=BOTH))
    assert (told["result"], told["problems"]) == ("partly done", [kept()])
    assert told["counts"]["removed"] == 1
    assert [call[1] for call in bench.iconik.called("delete_file_set")] == [OTHER]


def test_an_asset_that_is_protected_while_it_is_read_is_kept(bench: Bench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.before["files"] = lambda: protect(bench)
    told = bench.do(REMOVE)
    assert told["problems"] == [kept()]
    assert bench.iconik.called(*CHANGES) == []


def test_an_asset_that_is_protected_while_it_is_copied_to_b2_is_kept(bench: Bench) -> None:
    bench.iconik.has(on_ll())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")

    def arrive() -> None:
        bench.iconik.has(on_b2(), on_ll())
        protect(bench)

    bench.iconik.before["jobs"] = arrive
    assert bench.do(REMOVE)["problems"] == [kept()]
    assert bench.iconik.called("delete_file_set") == []


def test_a_deletion_that_had_begun_when_the_asset_was_protected_is_finished(bench: Bench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.before["delete_file_set"] = lambda: protect(bench)
    told = bench.do(REMOVE)
    assert (told["result"], told["counts"]["removed"]) == ("done", 1)


def test_a_protected_asset_is_added(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    protect(bench)
    assert bench.do(ADD)["counts"]["there"] == 1
