"""What Prometheus is told, and who may ask, within one process."""

import os
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families
from responses import RequestsMock

from b2_iconik.common import meters, metric_files
from b2_iconik.ledger.counters import Standing, Tally
from b2_iconik.ledger.totals import Totals
from b2_iconik.web.metrics import add_to, may_see
from iconik import Iconik
from iconik_http.errors import IconikRefused, IconikUnavailable
from iconik_http.transport import Transport

ASSET = "a55e7000-0000-4000-8000-000000000001"
API = "https://iconik.test/API/"
HERE = tuple(map(ip_network, ("127.0.0.0/8", "::1")))


class Source:
    """Knows how it stands, as a test says."""

    def __init__(self) -> None:
        self.now: Standing | None = Standing({}, {}, {}, None)
        self.is_led = True

    def standing(self) -> Standing | None:
        return self.now

    def has_leader(self) -> bool:
        return self.is_led


@pytest.fixture(autouse=True)
def from_zero() -> Iterator[None]:
    """Nothing was counted before, and what is counted here is forgotten."""
    before = values.ValueClass
    meters._build.cache_clear()
    yield
    meters._build.cache_clear()
    values.ValueClass = before


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def client(source: Source) -> FlaskClient:
    app = Flask("anything")
    add_to(app, HERE, source)
    app.add_url_rule("/add", "add", lambda: ("no", 401), methods=["POST"])
    return app.test_client()


def scrape(client: FlaskClient) -> dict[str, float]:
    """Every sample by its name and labels, as Prometheus itself reads them."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


# Who may ask


@pytest.mark.parametrize(
    ("address", "headers", "allowed"),
    [
        ("127.0.0.1", [], True),
        ("::1", [], True),
        ("::ffff:127.0.0.1", ["Host", "User-Agent"], True),
        ("", [], True),
        (None, [], True),
        ("10.0.0.7", [], False),
        ("::ffff:10.0.0.7", [], False),
        ("2001:db8::1", [], False),
        ("127.0.0.1", ["X-Forwarded-For"], False),
        ("127.0.0.1", ["x-forwarded-proto"], False),
        ("", ["X-Forwarded-For"], False),
        ("", ["X-Real-IP"], False),
        ("127.0.0.1", ["Forwarded"], False),
        ("127.0.0.1", ["Via"], False),
    ],
)
def test_only_this_machine_may_see_the_metrics(
    address: str | None, headers: list[str], allowed: bool
) -> None:
    assert may_see(HERE, address, headers) == allowed


def test_other_machines_may_if_they_are_named_but_not_through_a_proxy() -> None:
    networks = [ip_network("10.0.0.0/24")]
    assert may_see(networks, "10.0.0.7", [])
    assert not may_see(networks, "127.0.0.1", [])
    assert not may_see(networks, "10.0.0.7", ["X-Forwarded-For"])


@pytest.mark.parametrize("address", ["127.0.0.1", "", None])
def test_nobody_may_where_there_are_to_be_none(address: str | None) -> None:
    assert not may_see([], address, [])


def test_who_may_not_is_told_which_setting_says_so(client: FlaskClient) -> None:
    answer = client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 403
    assert "METRICS_FROM" in answer.text


# What is counted


def test_clicks_are_counted_by_action_and_answer(client: FlaskClient) -> None:
    for _ in range(2):
        client.post("/add")
    client.get("/add")
    client.get("/metrics")
    counts = scrape(client)
    assert counts["b2_iconik_clicks_total{add,401}"] == 2
    assert counts["b2_iconik_clicks_total{add,405}"] == 1
    assert counts["b2_iconik_answer_seconds_count{add}"] == 3
    assert not [name for name in counts if "clicks" in name and "metrics" in name]


def test_requests_to_iconik_are_counted_by_call_and_status(
    client: FlaskClient, iconik: Iconik, http: RequestsMock
) -> None:
    url = f"{API}files/v1/assets/{ASSET}/files/"
    for status in (429, 503, 200):
        http.add("GET", url, json={"objects": []}, status=status)
    iconik.files(ASSET)
    counts = scrape(client)
    call = "GET files/v1/assets/{}/files/"
    for status in (429, 503, 200):
        assert counts[f"b2_iconik_requests_total{{{call},{status}}}"] == 1
    assert counts[f"b2_iconik_request_seconds_count{{{call}}}"] == 3


def test_a_request_without_an_answer_is_counted_as_that(
    client: FlaskClient, iconik: Iconik, http: RequestsMock
) -> None:
    # A request that no test announced is a failed connection.
    with pytest.raises(Exception, match="the connection to iconik failed"):
        iconik.formats(ASSET)
    assert scrape(client)["b2_iconik_requests_total{GET files/v1/assets/{}/formats/,none}"] == 4


@pytest.mark.parametrize(
    ("status", "is_good"), [(200, True), (404, True), (429, False), (500, False), (503, False)]
)
def test_the_last_good_answer_is_one_that_shows_iconik_well(
    client: FlaskClient, iconik: Iconik, http: RequestsMock, status: int, is_good: bool
) -> None:
    http.add("GET", f"{API}jobs/v1/jobs/{ASSET}/", json={"id": ASSET}, status=status)
    with suppress(IconikUnavailable):
        iconik.job(ASSET)
    seen = scrape(client)["b2_iconik_last_good_answer_timestamp_seconds{}"]
    assert (seen > 1_000_000_000) == is_good


def test_an_address_that_iconik_makes_up_has_no_label_of_its_own(
    client: FlaskClient, transport: Transport, http: RequestsMock
) -> None:
    odd = "/API/files/v1/clip of bea.mov/"
    http.add("GET", f"{API}files/v1/", json={"objects": [], "next_url": odd})
    http.add("GET", f"https://iconik.test{odd}", json={"objects": []})
    list(transport.pages("files/v1/", "list", "a_role"))
    counts = scrape(client)
    assert counts["b2_iconik_requests_total{other,200}"] == 1
    assert not [name for name in counts if "bea" in name]


def test_there_are_never_more_calls_than_a_few_dozen(
    client: FlaskClient, transport: Transport, http: RequestsMock
) -> None:
    for number in range(meters.MOST_CALLS + 10):
        name = "x" * (number + 1)
        http.add("GET", f"{API}{name}/", json={})
        transport.object("GET", f"{name}/", "ask", "a_role")
    names = [name for name in scrape(client) if name.startswith("b2_iconik_requests_total")]
    assert len(names) == meters.MOST_CALLS + 1


# What the ledger knows


def test_what_the_ledger_knows_is_told(client: FlaskClient, source: Source) -> None:
    source.now = Standing(
        {
            Tally("operation", "add", "partly done"): 2,
            Tally("format", "add", "copied"): 5,
            Tally("format", "remove", "kept", "differs"): 1,
            Tally("unopened", "add", "failed"): 4,
        },
        {"add": 3},
        {("add", "copying"): 7},
        1_500_000,
        Totals(assets=9, bytes=3_000, due=2, overdue=1),
    )
    told = scrape(client)
    from_ledger = {name: value for name, value in told.items() if "answer" not in name and value}
    assert from_ledger == {
        "b2_iconik_ledger_readable{}": 1,
        "b2_iconik_executor_present{}": 1,
        "b2_iconik_operations_total{add,partly_done}": 2,
        "b2_iconik_formats_total{add,copied,}": 5,
        "b2_iconik_formats_total{remove,kept,differs}": 1,
        "b2_iconik_unopened_total{add}": 4,
        "b2_iconik_operations_running{add}": 3,
        "b2_iconik_assets_pending{add,copying}": 7,
        "b2_iconik_oldest_operation_timestamp_seconds{}": 1_500,
        "b2_iconik_lucidlink_assets{}": 9,
        "b2_iconik_lucidlink_bytes{}": 3_000,
        "b2_iconik_lucidlink_due{}": 2,
        "b2_iconik_lucidlink_overdue{}": 1,
    }


def test_what_is_counted_is_there_before_it_has_happened(client: FlaskClient) -> None:
    told = scrape(client)
    for name in (
        "b2_iconik_clicks_total{remove,503}",
        "b2_iconik_operations_total{add,failed}",
        "b2_iconik_operations_running{remove}",
        "b2_iconik_formats_total{remove,failed,half_deleted}",
        "b2_iconik_formats_total{remove,kept,differs}",
        "b2_iconik_formats_total{add,copied,}",
        "b2_iconik_lucidlink_overdue{}",
        "b2_iconik_unopened_total{remove}",
        "b2_iconik_last_good_answer_timestamp_seconds{}",
    ):
        assert told[name] == 0


def test_a_ledger_that_cannot_be_read_keeps_nothing_else_from_being_told(
    client: FlaskClient, source: Source
) -> None:
    source.now, source.is_led = None, False
    client.post("/add")
    told = scrape(client)
    assert told["b2_iconik_ledger_readable{}"] == 0
    assert told["b2_iconik_executor_present{}"] == 0
    assert told["b2_iconik_clicks_total{add,401}"] == 1


# Several processes


def test_a_process_counts_on_in_the_slot_that_it_takes(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = metric_files.prepare({"RUNTIME_DIRECTORY": str(tmp_path)})
    monkeypatch.setenv(metric_files.VARIABLE, str(directory))
    client.post("/add")
    assert scrape(client)["b2_iconik_clicks_total{add,401}"] == 1
    # The lock is this process's own, so what stands for another takes the next slot.
    meters._build.cache_clear()
    client.post("/add")
    assert scrape(client)["b2_iconik_clicks_total{add,401}"] == 2
    assert sorted(path.name for path in directory.glob("counter_*")) == [
        "counter_0.db",
        "counter_1.db",
    ]


def test_however_much_is_counted_there_is_room_for_it(
    transport: Transport, http: RequestsMock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = metric_files.prepare({"RUNTIME_DIRECTORY": str(tmp_path)})
    monkeypatch.setenv(metric_files.VARIABLE, str(directory))
    statuses = (200, 201, 202, 204, 400, 404, 405, 422)
    for number in range(meters.MOST_CALLS + 10):
        path = f"files/v1/a_rather_long_path_{'x' * number}/"
        for status in statuses:
            http.add(
                "DELETE",
                f"{API}{path}",
                status=status,
                body="" if status < 400 else '{"errors": []}',
            )
            with suppress(IconikRefused):
                transport.delete(path, "ask", "a_role")
    sizes = {path.stat().st_size for path in directory.glob("*.db")}
    assert sizes == {metric_files.ROOM}


def test_a_process_that_gets_no_room_works_without_metrics_of_its_own(
    client: FlaskClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(metric_files.VARIABLE, str(tmp_path / "gone"))
    assert client.post("/add").status_code == 401
    assert "the metrics do not include this process: No such file or directory" in caplog.text
    assert scrape(client)["b2_iconik_clicks_total{add,401}"] == 1
    assert os.environ[metric_files.VARIABLE]
