"""The time and the requests that typical work takes, depending on what iconik offers.

Each row is measured with full listings; with poor ones, which lack what the listings of some
versions of iconik lack; and with none, which show neither formats nor files.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dev.benchmark.bench import FASTEST, UNLIMITED, Bench, bench
from dev.benchmark.figures import Figure

HINTS: dict[str, tuple[str, ...]] = {
    "full": ("--listing-hints",),
    "poor": ("--listing-hints", "--poor-hints"),
    "no": (),
}
LAG = "--listing-lag-seconds"
BULK = ("--bulk-deletion",)
# In seconds: how long a copy takes.
COPY = ("--copy-seconds", "5", "--copies-at-once", "10000", LAG, "2")
QUICK = ("--latency-ms", "5", "--copy-seconds", "0.5", LAG, "0.2", *UNLIMITED)
PER_OPERATION = 30
# In seconds: the time in which an automation clicks on all its assets.
AUTOMATION = 10.0
WITHOUT_PURGE = [
    "can_read_storages", "can_read_collections", "can_read_assets", "can_read_formats",
    "can_read_files", "can_write_transfers", "can_read_jobs", "can_delete_files", "can_write_jobs",
    "can_search",
]  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Work on many assets in two formats.

    Attributes:
        on: for each part of the assets, the storages of its originals, and of its proxies.
        options: further options of the simulator.
        requests, seconds: the limits, if listings are full or poor.
        roles: of the token; None for all.
        one_by_one: whether an automation clicks on each asset by itself.
    """

    name: str
    action: str
    count: int
    on: Sequence[tuple[Sequence[str], Sequence[str]]]
    requests: float
    seconds: float | None = None
    options: tuple[str, ...] = ()
    every_third_lacks_a_proxy: bool = False
    roles: list[str] | None = None
    one_by_one: bool = False


B2, LL, EVERYWHERE = ("b2",), ("lucidlink",), ("b2", "lucidlink")
HALF = ((LL, LL), (EVERYWHERE, LL))
ROWS = [
    Row("Add", "add", 5_000, [(B2, B2)], 0.15, 12, every_third_lacks_a_proxy=True),
    Row("Remove after copies", "remove", 2_000, HALF, 3.2, 135),
    Row("Remove after copies, deleted in bulk", "remove", 2_000, HALF, 2.2, 90, BULK),
    Row("Remove", "remove", 2_000, [(EVERYWHERE, EVERYWHERE)], 3.2, None),
    Row("Remove, deleted in bulk", "remove", 2_000, [(EVERYWHERE, EVERYWHERE)], 2.1, 90, BULK),
    Row(
        "Remove, purged one by one", "remove", 500, [(EVERYWHERE, EVERYWHERE)], 5.2,
        roles=WITHOUT_PURGE,
    ),
    Row(
        "Remove by 300 clicks on one asset each", "remove", 300, [(EVERYWHERE, EVERYWHERE)], 4.5,
        None, BULK, one_by_one=True,
    ),
]  # fmt: skip


def measure(quick: bool) -> Iterator[Figure]:
    """Measure all rows. A quick measurement counts only requests, of fewer assets, with hints.

    The figures include the requests per operation.
    """
    for row in ROWS:
        some = replace(row, count=max(row.count // 10, 150)) if quick else row
        for hints, listed in HINTS.items():
            if quick and not listed:
                continue
            options = (*(QUICK if quick else COPY), *row.options, *listed)
            with bench(options, FASTEST if quick else None) as here:
                seconds = _do(here, some, AUTOMATION / 5 if quick else AUTOMATION)
                is_limited = hints != "no"
                name = f"{row.name}, {hints} listings"
                # The requests per operation weigh more in a short one.
                most = row.requests + (PER_OPERATION / some.count if quick else 0.0)
                limit: float | None = most
                if not is_limited or (quick and row.one_by_one):
                    # Small clicks share requests only while they wait for the rate limit.
                    limit = None
                yield Figure(f"{name}, requests per asset", here.requests() / some.count, "", limit)
                if not quick:
                    limit = row.seconds if is_limited else None
                    yield Figure(f"{name}, time", seconds, "s", limit)


def _do(here: Bench, row: Row, duration: float) -> float:
    """Do the work of a row. Returns how many seconds it took.

    Args:
        duration: of an automation, in seconds.
    """
    if row.roles is not None:
        here.simulator.control(
            "POST", "tokens", {"token": here.simulator.token, "roles": row.roles}
        )
    collection_id, asset_ids = _fill(here, row)
    began = time.monotonic()
    if not row.one_by_one:
        here.do(row.action, collection_id)
        return time.monotonic() - began
    operations = []
    for number, asset_id in enumerate(asset_ids):
        time.sleep(max(0.0, began + number * duration / len(asset_ids) - time.monotonic()))
        operations.append(here.click(row.action, asset_ids=[asset_id]))
    for each in operations:
        here.report(each)
    return time.monotonic() - began


def _fill(here: Bench, row: Row) -> tuple[str, list[str]]:
    """Create the assets of a row in a collection. Returns its id, and theirs."""
    made = here.simulator.control("POST", "collections", {"title": "Rushes"})
    asset_ids: list[str] = []
    for originals, proxies in row.on:
        body = {
            "count": row.count // len(row.on),
            "formats": {"ORIGINAL": 1, "PPRO_PROXY": 3 if row.every_third_lacks_a_proxy else 1},
            "on": {"ORIGINAL": originals, "PPRO_PROXY": proxies},
            "collection_ids": [made["id"]],
        }
        asset_ids += here.simulator.control("POST", "fill", body)["asset_ids"]
    here.simulator.control("DELETE", "requests")
    return str(made["id"]), asset_ids
