"""The number of requests per asset, depending on what iconik offers."""

from collections.abc import Iterator
from math import ceil

from dev.benchmark.bench import FASTEST, FORMATS, UNLIMITED, bench
from dev.benchmark.figures import Figure

QUICK = ("--latency-ms", "5", *UNLIMITED)
WITHOUT_PURGE = [
    "can_read_storages", "can_read_collections", "can_read_assets", "can_read_formats",
    "can_read_files", "can_write_transfers", "can_read_jobs", "can_delete_files", "can_write_jobs",
]  # fmt: skip
REMOVES: list[tuple[str, tuple[str, ...], list[str] | None, float]] = [
    ("newer deletion", ("--bulk-deletion",), None, 3.2),
    ("many purged at once", (), None, 4.2),
    ("purged one by one", (), WITHOUT_PURGE, 6.2),
]
ADDS: list[tuple[str, tuple[str, ...], float]] = [
    ("listings show formats", ("--listing-hints",), 1.0),
    ("listings show nothing", (), 2.2),
]


def measure(quick: bool) -> Iterator[Figure]:
    """Measure the requests per asset of both actions, whatever the pace.

    The figures include the requests per operation, except where there is nothing to do.
    """
    count = 150 if quick else 1_000
    for name, options, roles, limit in REMOVES:
        with bench((*QUICK, *options), FASTEST) as here:
            token = {"token": here.simulator.token, "roles": roles}
            here.simulator.control("POST", "tokens", token)
            collection_id = here.fill(count, ("b2", "lucidlink"))
            here.do("remove", collection_id)
            value = here.requests() / count
            pages = len(here.times(lambda seen: seen["path"].endswith("/contents/")))
            yield Figure(f"Remove, requests per asset, {name}", value, "", limit)
            value = here.bucket_requests() / count
            yield Figure(f"Remove, B2 requests per asset, {name}", value, "", len(FORMATS))
    yield Figure("requests to list 100 members", pages / ceil(count / 100), "", 1.0)
    for name, options, limit in ADDS:
        with bench((*QUICK, *options), FASTEST) as here:
            collection_id = here.fill(count)
            here.do("add", collection_id)
            yield Figure(f"Add, requests per asset, {name}", here.requests() / count, "", limit)
            here.simulator.control("DELETE", "requests")
            here.do("add", collection_id)
            looks = here.times(lambda seen: "/files/v1/assets/" in seen["path"])
            value = len(looks) / count
            yield Figure(f"Add of what is there, requests per asset, {name}", value, "", 2.0)
