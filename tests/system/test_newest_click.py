"""The newest click wins, however two overlap."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.harness import Service, Simulator
from tests.system.media import asset, files, unproven_deletions

pytestmark = pytest.mark.promise


def test_remove_after_an_add_whose_copies_still_run_leaves_lucidlink_empty(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    clip = asset(simulator, "clip")
    add = service.click("add", asset_ids=[clip]).json()["operation_id"]
    remove = service.click("remove", asset_ids=[clip]).json()["operation_id"]
    simulator.control("PATCH", "settings", {"copies_paused": False})
    service.report(add)
    service.report(remove)
    assert files(simulator.lucidlink) == []
    assert unproven_deletions(simulator) == 0


def test_add_after_a_remove_that_still_waits_leaves_the_files_on_lucidlink(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    clip = asset(simulator, "clip", on="lucidlink")
    remove = service.click("remove", "ORIGINAL", asset_ids=[clip]).json()["operation_id"]
    add = service.click("add", asset_ids=[clip]).json()["operation_id"]
    simulator.control("PATCH", "settings", {"copies_paused": False})
    assert service.report(remove)["counts"]["superseded"] == 1
    service.report(add)
    assert files(simulator.lucidlink) == ["clip_original.mov"]


def test_only_the_assets_that_overlap_are_left_to_the_newer_click(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    wanted, unwanted = asset(simulator, "wanted", "lucidlink"), asset(simulator, "un", "lucidlink")
    remove = service.click("remove", asset_ids=[wanted, unwanted]).json()["operation_id"]
    add = service.click("add", asset_ids=[wanted]).json()["operation_id"]
    simulator.control("PATCH", "settings", {"copies_paused": False})
    service.report(remove)
    service.report(add)
    assert files(simulator.lucidlink) == ["wanted_original.mov"]


def test_a_third_click_that_equals_the_first_is_the_newest_wish(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    clip = asset(simulator, "clip")
    ids = [
        service.click(action, asset_ids=[clip]).json()["operation_id"]
        for action in ("add", "remove", "add")
    ]
    simulator.control("PATCH", "settings", {"copies_paused": False})
    for operation_id in ids:
        service.report(operation_id)
    assert len(set(ids)) == 3
    assert files(simulator.lucidlink) == ["clip_original.mov"]


def test_the_same_click_five_times_at_once_comes_to_the_same_as_one(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    clip = asset(simulator, "clip")
    with ThreadPoolExecutor(5) as people:
        answers = list(people.map(lambda _: service.click("add", asset_ids=[clip]), range(5)))
    simulator.control("PATCH", "settings", {"copies_paused": False})
    assert {each.status_code for each in answers} == {200}
    counts = [service.report(each.json()["operation_id"])["counts"] for each in answers]
    assert sum(each["copied"] for each in counts) == 1
    assert sum(each["there"] for each in counts) == 4
    assert files(simulator.lucidlink) == ["clip_original.mov"]
