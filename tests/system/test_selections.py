"""What a click may be about besides assets and collections, from the click to the files."""

import uuid

import requests

from dev.harness import SECRET, Service, Simulator
from tests.system.media import asset, files


def test_the_assets_of_a_playlist_are_copied(simulator: Simulator, service: Service) -> None:
    whole, part = asset(simulator, "whole"), asset(simulator, "part")
    segment = {"object_type": "segments", "asset_id": part}
    playlist = simulator.control("POST", "playlists", {"ids": [whole], "objects": [segment]})
    answer = service.post("add", {"context": "PLAYLIST", "playlist_ids": [playlist["id"]]})
    operation_id = answer.json()["operation_id"]
    assert service.report(operation_id)["counts"]["copied"] == 2
    assert service.operation(operation_id).selection == "1 playlist"
    assert files(simulator.lucidlink) == ["part_original.mov", "whole_original.mov"]


def test_what_a_saved_search_finds_besides_assets_is_told(
    simulator: Simulator, service: Service
) -> None:
    clip = asset(simulator, "clip")
    others = [
        {"object_type": "segments", "id": str(uuid.uuid4()), "asset_id": clip},
        {"object_type": "playlists", "id": str(uuid.uuid4())},
    ]
    search = simulator.control("POST", "saved_searches", {"objects": others})["id"]
    report = service.report(service.click("add", saved_search_ids=[search]).json()["operation_id"])
    assert files(simulator.lucidlink) == ["clip_original.mov"]
    assert report["problems"] == [
        {
            "asset_id": f"saved search {search}",
            "format": None,
            "kind": "failed",
            "reason": "1 of 2 results is not an asset and was left out: playlists (1)",
        }
    ]


def test_a_parameter_that_an_url_gives_twice_is_named(
    simulator: Simulator, service: Service
) -> None:
    query = {
        "b2_storage_id": simulator.b2_storage_id,
        "ll_storage_id": simulator.ll_storage_id,
        "formats": ["ORIGINAL", "PPRO_PROXY"],
    }
    answer = requests.post(
        f"{service.url}/remove",
        params=query,
        json={"context": "ASSET", "asset_ids": [str(uuid.uuid4())]},
        headers={"x-bz-secret": SECRET},
        timeout=30,
    )
    assert answer.status_code == 400
    assert "formats: must not be in the action's URL more than once" in answer.json()["message"]
