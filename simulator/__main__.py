"""The command: python -m simulator --b2 DIRECTORY --lucidlink DIRECTORY."""

import argparse
from pathlib import Path

from simulator.server import Server
from simulator.settings import Settings
from simulator.simulation import APP_ID, B2_ID, LUCIDLINK_ID, TOKEN, Place, Simulation


def main() -> None:
    """Read the arguments, and serve until stopped."""
    default = Settings()
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    add = parser.add_argument
    add("--b2", type=Path, required=True, metavar="DIR", help="directory of the B2 storage")
    add("--lucidlink", type=Path, required=True, metavar="DIR", help="that of LucidLink")
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8800, help="0 for any that is free")
    add("--app-id", default=APP_ID)
    add("--token", default=TOKEN)
    add("--b2-storage-id", default=B2_ID)
    add("--ll-storage-id", default=LUCIDLINK_ID)
    add("--latency-ms", type=float, default=default.latency_ms)
    add("--rate-limit", type=int, default=default.rate_limit)
    add("--rate-window", type=float, default=default.rate_window, help="seconds")
    add("--retry-after", action=argparse.BooleanOptionalAction, default=default.retry_after)
    add("--copy-seconds", type=float, default=default.copy_seconds)
    add("--copies-at-once", type=int, default=default.copies_at_once)
    add("--bulk-deletion", action=argparse.BooleanOptionalAction, default=default.bulk_deletion)
    add("--listing-hints", action=argparse.BooleanOptionalAction, default=default.listing_hints)
    add("--listing-lag-seconds", type=float, default=default.listing_lag_seconds)
    add("--poor-hints", action=argparse.BooleanOptionalAction, default=default.poor_hints)
    given = vars(parser.parse_args())
    settings = Settings(**{name: given[name] for name in default.json() if name in given})
    for directory in (given["b2"], given["lucidlink"]):
        directory.mkdir(parents=True, exist_ok=True)
    place = Place(
        given["b2"].resolve(),
        given["lucidlink"].resolve(),
        given["b2_storage_id"].lower(),
        given["ll_storage_id"].lower(),
    )
    simulation = Simulation(place, given["app_id"], given["token"], settings)
    Server(simulation, given["host"], given["port"]).run()


if __name__ == "__main__":
    main()
