"""Remove from LucidLink, from a click to the files."""

import pytest

from dev.harness import Service, Simulator, wait_for
from tests.system.media import PROXY, asset, files, unproven_deletions

pytestmark = pytest.mark.promise


def test_what_is_proven_is_deleted_and_stays_in_b2(simulator: Simulator, service: Service) -> None:
    both = asset(simulator, "clip", on="both", formats=("ORIGINAL", PROXY))
    answer = service.click("remove", asset_ids=[both])
    report = service.report(answer.json()["operation_id"])
    assert report["counts"]["removed"] == 2
    assert files(simulator.lucidlink) == []
    assert files(simulator.b2) == ["clip_original.mov", "clip_ppro_proxy.mov"]
    assert unproven_deletions(simulator) == 0


def test_what_is_not_in_b2_is_copied_there_first(simulator: Simulator, service: Service) -> None:
    rendered = asset(simulator, "render", on="lucidlink", formats=("ORIGINAL", PROXY))
    report = service.report(service.click("remove", asset_ids=[rendered]).json()["operation_id"])
    assert report["counts"]["removed"] == 2
    assert files(simulator.lucidlink) == []
    assert files(simulator.b2) == ["render_original.mov", "render_ppro_proxy.mov"]
    assert unproven_deletions(simulator) == 0


def test_a_file_edited_on_lucidlink_is_kept_and_named(
    simulator: Simulator, service: Service
) -> None:
    edited, other = asset(simulator, "edited", on="both"), asset(simulator, "other", on="both")
    simulator.edit_on_lucidlink(edited, "a longer cut " * 100)
    report = service.report(
        service.click("remove", asset_ids=[edited, other]).json()["operation_id"]
    )
    assert files(simulator.lucidlink) == ["edited_original.mov"]
    assert report["problems"] == [
        {
            "asset_id": edited,
            "format": "ORIGINAL",
            "kind": "kept",
            "reason": "edited_original.mov differs from its master: "
            "1,300 bytes on LucidLink, 300 bytes on B2",
        }
    ]


def test_only_the_formats_that_were_asked_for_leave(simulator: Simulator, service: Service) -> None:
    both = asset(simulator, "clip", on="both", formats=("ORIGINAL", PROXY))
    answer = service.click("remove", asset_ids=[both], formats="ORIGINAL")
    service.report(answer.json()["operation_id"])
    assert files(simulator.lucidlink) == ["clip_ppro_proxy.mov"]


def test_assets_that_are_proven_at_once_do_not_wait_for_the_others(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    proven = asset(simulator, "proven", on="both")
    unproven = asset(simulator, "unproven", on="lucidlink")
    answer = service.click("remove", asset_ids=[unproven, proven])
    operation_id = answer.json()["operation_id"]
    wait_for(
        "removal of the proven asset",
        lambda: files(simulator.lucidlink) == ["unproven_original.mov"],
        120,
    )
    assert not service.has_ended(operation_id)
    simulator.control("PATCH", "settings", {"copies_paused": False})
    service.report(operation_id)
    assert files(simulator.lucidlink) == []


def test_a_copy_that_finished_without_a_file_deletes_nothing(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("POST", "faults", {"copy": "finish_without_file"})
    rendered = asset(simulator, "render", on="lucidlink")
    report = service.report(service.click("remove", asset_ids=[rendered]).json()["operation_id"])
    assert files(simulator.lucidlink) == ["render_original.mov"]
    assert report["counts"]["kept"] == 1


def test_a_remove_of_what_is_not_there_does_nothing(simulator: Simulator, service: Service) -> None:
    report = service.report(
        service.click("remove", asset_ids=[asset(simulator, "clip")]).json()["operation_id"]
    )
    assert report["counts"]["absent"] == 1
    assert report["result"] == "nothing to do"
    assert files(simulator.b2) == ["clip_original.mov"]


def test_a_storage_that_cannot_be_deleted_from_is_seen_before_anything_is_asked(
    simulator: Simulator, service: Service
) -> None:
    simulator.control(
        "PATCH", f"storages/{simulator.ll_storage_id}", {"settings": {"delete": False}}
    )
    both = asset(simulator, "clip", on="both")
    report = service.report(service.click("remove", asset_ids=[both]).json()["operation_id"])
    assert report["result"] == "failed"
    assert "allow deleting from" in report["failure"]
    assert files(simulator.lucidlink) == ["clip_original.mov"]


@pytest.mark.parametrize(("is_offered", "left"), [(True, []), (False, ["v1.mov"])])
def test_older_versions_leave_where_iconik_lists_them(
    simulator: Simulator, service: Service, is_offered: bool, left: list[str]
) -> None:
    simulator.control("PATCH", "settings", {"all_versions": is_offered})
    versions = [[{"name": "v1.mov", "size": 300}], [{"name": "v2.mov", "size": 400}]]
    formats = [
        {"name": "ORIGINAL", "b2": each, "lucidlink": each, "older_version": each is versions[0]}
        for each in versions
    ]
    clip = simulator.control("POST", "assets", {"title": "clip", "formats": formats})["id"]
    service.report(service.click("remove", asset_ids=[clip]).json()["operation_id"])
    assert files(simulator.lucidlink) == left
    assert unproven_deletions(simulator) == 0
