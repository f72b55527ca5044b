"""Thousands of assets, at iconik's own rate limit and 80 ms away."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Service, Simulator
from tests.system.media import PROXY, collection, files, unproven_deletions

MINUTES = 12 * 60


@pytest.fixture
def simulator(start_simulator: Callable[..., Simulator]) -> Simulator:
    """A simulator as far away as iconik is."""
    return start_simulator(
        "--latency-ms", "80", "--copy-seconds", "0.02", "--copies-at-once", "16"
    )  # fmt: skip


def nested(simulator: Simulator) -> list[str]:
    """Collections of several depths; the first holds the others."""
    top = collection(simulator, "top")
    inner = collection(simulator, "inner", top)
    return [top, inner, collection(simulator, "innermost", inner)]


def test_an_add_of_2500_assets_ends_right(
    simulator: Simulator, service: Service, tmp_path: Path
) -> None:
    # What a Remove looks at anyway is shown for an Add.
    simulator.control("PATCH", "settings", {"listing_hints": True})
    collections = nested(simulator)
    simulator.control(
        "POST",
        "fill",
        {
            "count": 2500,
            "formats": {"ORIGINAL": 1, PROXY: 3},
            "on": ["b2"],
            "collection_ids": collections,
        },
    )
    answer = service.click("add", collection_ids=collections[:1])
    report = service.report(answer.json()["operation_id"], MINUTES)
    assert report["result"] == "done"
    assert report["counts"]["copied"] == 2500 + 1667
    assert report["counts"]["without"] == 833
    seen = simulator.control("GET", "")
    assert seen["failed_children"] == 0
    assert seen["statuses"].get("429", 0) == 0
    assert files(simulator.lucidlink) == files(simulator.b2)


def test_a_remove_of_1000_assets_in_two_formats_ends_right(
    simulator: Simulator, service: Service
) -> None:
    collections = nested(simulator)
    simulator.control(
        "POST",
        "fill",
        {
            "count": 1000,
            "formats": {"ORIGINAL": 1, PROXY: 1},
            "on": ["b2", "lucidlink"],
            "collection_ids": collections,
        },
    )
    in_b2 = files(simulator.b2)
    answer = service.click("remove", collection_ids=collections[:1])
    report = service.report(answer.json()["operation_id"], MINUTES)
    assert report["result"] == "done"
    assert report["counts"]["removed"] == 2000
    assert files(simulator.lucidlink) == []
    assert files(simulator.b2) == in_b2
    assert unproven_deletions(simulator) == 0
    assert simulator.control("GET", "")["statuses"].get("429", 0) == 0
