"""What a click may be about besides assets and collections, from the click to the files."""

import uuid

from tests.system.desk import CLIP, Desk


def test_the_assets_of_a_playlist_are_copied(desk: Desk) -> None:
    whole, part = desk.asset(b2=CLIP), desk.asset(b2=CLIP)
    segment = {"object_type": "segments", "asset_id": part}
    playlist = desk.simulator.control("POST", "playlists", {"ids": [whole], "objects": [segment]})
    report = desk.do("add", playlist_ids=[playlist["id"]])
    assert report["counts"]["copied"] == 2
    assert (desk.on_lucidlink(part), desk.on_lucidlink(whole)) == (["clip.mov"], ["clip.mov"])


def test_what_a_saved_search_finds_besides_assets_is_told(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP)
    others = [
        {"object_type": "segments", "id": str(uuid.uuid4()), "asset_id": clip},
        {"object_type": "playlists", "id": str(uuid.uuid4())},
    ]
    search = desk.simulator.control("POST", "saved_searches", {"objects": others})["id"]
    report = desk.do("add", saved_search_ids=[search])
    assert desk.on_lucidlink(clip) == ["clip.mov"]
    assert report["problems"] == [
        {
            "asset_id": f"saved search {search}",
            "format": None,
            "kind": "failed",
            "reason": "1 of 2 results is not an asset and was left out: playlists (1)",
        }
    ]
