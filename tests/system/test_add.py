"""Add to LucidLink, from a click to the files."""

import pytest

from dev.harness import Service, Simulator
from tests.system.media import PROXY, asset, collection, files

pytestmark = pytest.mark.promise


def test_add_copies_the_wanted_formats_that_are_not_there_yet(
    simulator: Simulator, service: Service
) -> None:
    whole = asset(simulator, "whole", formats=("ORIGINAL", PROXY))
    bare = asset(simulator, "bare")
    there = asset(simulator, "there", on="both")
    answer = service.click("add", asset_ids=[whole, bare, there])
    report = service.report(answer.json()["operation_id"])
    assert answer.status_code == 200
    assert report["counts"] | {"copied": 3, "there": 1, "without": 2} == report["counts"]
    assert files(simulator.lucidlink) == [
        "bare_original.mov", "there_original.mov", "whole_original.mov", "whole_ppro_proxy.mov",
    ]  # fmt: skip


def test_add_asks_for_no_copy_that_is_bound_to_fail(simulator: Simulator, service: Service) -> None:
    assets = [asset(simulator, f"bare{n}") for n in range(12)]
    service.report(service.click("add", asset_ids=assets).json()["operation_id"])
    assert simulator.control("GET", "")["failed_children"] == 0


def test_a_collection_is_opened_to_any_depth_and_each_asset_counts_once(
    simulator: Simulator, service: Service
) -> None:
    top = collection(simulator, "top")
    below = collection(simulator, "below", top)
    deep = collection(simulator, "deep", below)
    simulator.control("POST", f"collections/{deep}/contents", {"ids": [top, deep]})
    asset(simulator, "in_two", collection_ids=(below, deep))
    asset(simulator, "at_the_top", collection_ids=(top,))
    answer = service.click("add", collection_ids=[top])
    report = service.report(answer.json()["operation_id"])
    assert report["counts"]["assets"] == 2
    assert files(simulator.lucidlink) == ["at_the_top_original.mov", "in_two_original.mov"]


def test_a_collection_of_several_pages_is_taken_whole(
    simulator: Simulator, service: Service
) -> None:
    top = collection(simulator, "top")
    simulator.control(
        "POST",
        "fill",
        {"count": 230, "formats": {"ORIGINAL": 1}, "on": ["b2"], "collection_ids": [top]},
    )
    answer = service.click("add", collection_ids=[top], formats="ORIGINAL")
    report = service.report(answer.json()["operation_id"])
    assert report["counts"]["copied"] == 230
    assert len(files(simulator.lucidlink)) == 230


def test_a_saved_search_selects_what_it_finds(simulator: Simulator, service: Service) -> None:
    inner = collection(simulator, "inner")
    asset(simulator, "in_collection", collection_ids=(inner,))
    found = asset(simulator, "found")
    search = simulator.control("POST", "saved_searches", {"ids": [found, inner]})["id"]
    answer = service.post(
        "add",
        {
            "context": "SAVED_SEARCH",
            "saved_search_ids": [search],
            "asset_ids": None,
            "collection_ids": [],
            "auth_token": simulator.token,
        },
    )
    service.report(answer.json()["operation_id"])
    assert files(simulator.lucidlink) == ["found_original.mov", "in_collection_original.mov"]


def test_what_has_vanished_is_reported_and_the_rest_is_done(
    simulator: Simulator, service: Service
) -> None:
    kept, gone = asset(simulator, "kept"), asset(simulator, "gone")
    unknown = "99999999-9999-4999-8999-999999999999"
    simulator.control("DELETE", f"assets/{gone}")
    answer = service.click("add", asset_ids=[kept, gone], collection_ids=[unknown])
    report = service.report(answer.json()["operation_id"])
    assert files(simulator.lucidlink) == ["kept_original.mov"]
    assert {(each["asset_id"], each["reason"]) for each in report["problems"]} == {
        (gone, "the asset no longer exists in iconik"),
        (f"collection {unknown}", "the collection no longer exists in iconik"),
    }


def test_a_bulk_click_with_1200_ids_works(simulator: Simulator, service: Service) -> None:
    filled = simulator.control(
        "POST", "fill", {"count": 1200, "formats": {"ORIGINAL": 1}, "on": ["b2"]}
    )
    # Twelve hundred assets at iconik's own pace would take a minute.
    simulator.control("PATCH", "settings", {"rate_limit": 100_000, "copies_at_once": 64})
    service.stop()
    fast = Service(
        simulator.process.log.parent / "fast",
        simulator,
        environment={"ICONIK_REQUESTS_PER_SECOND": "1000"},
    )
    answer = fast.click("add", asset_ids=filled["asset_ids"], formats="ORIGINAL")
    report = fast.report(answer.json()["operation_id"], 120)
    fast.stop()
    assert report["counts"]["copied"] == 1200
    assert len(files(simulator.lucidlink)) == 1200


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("wrong_size", "clip_original.mov: 150 bytes of 300 bytes arrived on LucidLink"),
        ("wrong_content", "clip_original.mov arrived on LucidLink with a different checksum: "),
    ],
)
def test_a_copy_that_is_not_as_its_source_is_told(
    simulator: Simulator, service: Service, fault: str, told: str
) -> None:
    for name in ("b2", "ll"):
        storage_id = getattr(simulator, f"{name}_storage_id")
        simulator.control("PATCH", f"storages/{storage_id}", {"checksum": "md5"})
    clip = asset(simulator, "clip")
    simulator.control("POST", "faults", {"copy": fault, "asset_id": clip})
    report = service.report(service.click("add", asset_ids=[clip]).json()["operation_id"])
    assert [each["kind"] for each in report["problems"]] == ["failed"]
    assert told in report["problems"][0]["reason"]
