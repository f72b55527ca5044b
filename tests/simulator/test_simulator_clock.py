"""iconik's clock, which is not the machine's."""

from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

import pytest
import requests

from tests.simulator.desk import Desk

FORTNIGHT = timedelta(days=14)
DAY = timedelta(days=1)


def set_clock(desk: Desk, ahead: timedelta) -> None:
    """Set iconik's clock ahead, or behind."""
    desk.control("PATCH", "settings", {"clock_ahead_seconds": ahead.total_seconds()})


def is_ahead(moment: datetime, ahead: timedelta) -> bool:
    """Whether a moment differs so much from now, give or take a day."""
    return abs(moment - datetime.now(timezone.utc) - ahead) < DAY


def date(answer: requests.Response) -> datetime:
    """The header ``Date``."""
    return parsedate_to_datetime(answer.headers["Date"])


@pytest.mark.parametrize("ahead", [timedelta(0), FORTNIGHT, -FORTNIGHT])
def test_answers_are_dated_by_iconiks_clock(desk: Desk, ahead: timedelta) -> None:
    set_clock(desk, ahead)
    assert is_ahead(date(desk.ask("GET", "files/v1/storages/")), ahead)


@pytest.mark.parametrize(
    ("path", "status"),
    [("files/v1/storages/", 401), ("nothing/", 404), ("nothing", 404), ("files/v1/storages/", 503)],
)
def test_errors_and_faults_are_dated_by_iconiks_clock(desk: Desk, path: str, status: int) -> None:
    set_clock(desk, FORTNIGHT)
    if status == 503:
        desk.control("POST", "faults", {"fault": "status:503"})
    answer = desk.ask("GET", path, headers={"Auth-Token": "wrong"} if status == 401 else None)
    assert (answer.status_code, is_ahead(date(answer), FORTNIGHT)) == (status, True)


def test_answers_may_have_no_date(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"date_header": False})
    assert "Date" not in desk.ask("GET", "files/v1/storages/").headers


def test_buckets_keep_to_the_machines_clock(desk: Desk) -> None:
    set_clock(desk, FORTNIGHT)
    desk.control("PATCH", "settings", {"date_header": False})
    file = desk.get(f"files/v1/assets/{desk.asset()['id']}/files/")["objects"][0]
    answer = requests.get(file["url"], timeout=60)
    assert answer.ok
    assert is_ahead(date(answer), timedelta(0))


def test_records_are_dated_by_iconiks_clock(desk: Desk) -> None:
    set_clock(desk, FORTNIGHT)
    made = desk.asset(on=("b2", "lucidlink"))
    path = desk.file_set(made, "lucidlink")
    desk.ask("DELETE", path)
    dates = [
        made["date_created"],
        desk.files(made["id"], "b2")[0]["date_created"],
        desk.get(path)["date_created"],
        desk.get(path)["date_deleted"],
    ]
    assert all(is_ahead(datetime.fromisoformat(each), FORTNIGHT) for each in dates)


@pytest.mark.parametrize("log", ["requests", "deletions"])
def test_logs_are_dated_by_iconiks_clock(desk: Desk, log: str) -> None:
    set_clock(desk, FORTNIGHT)
    desk.ask("DELETE", desk.file_set(desk.asset(on=("b2", "lucidlink")), "lucidlink"))
    last = desk.control("GET", log)["objects"][-1]
    assert is_ahead(datetime.fromisoformat(last["time"]), FORTNIGHT)
