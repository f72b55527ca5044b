"""The shipped nginx configuration, in a real nginx in front of the real service."""

import json
import os
import socket
import ssl
import sys
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
import urllib3

from dev.harness import SECRET, Process, Simulator, stop_all, wait_for
from tests.nginx.server import NGINX, start_nginx
from tests.system.media import asset, files

SLOW_CLIENTS = 100
AT_ONCE = 20

pytestmark = pytest.mark.skipif(
    not (NGINX or os.environ.get("REQUIRE_SERVERS")), reason="nginx is not installed"
)


class Front(NamedTuple):
    """A running nginx: its ports, where it keeps its log, and the certificate to trust."""

    http: int
    https: int
    directory: Path
    simulator: Simulator

    @property
    def url(self) -> str:
        return f"https://localhost:{self.https}"

    @property
    def certificate(self) -> str:
        return str(self.directory / "fullchain.pem")


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The simulator, the service on a unix socket, and nginx in front of it."""
    directory = tmp_path_factory.mktemp("nginx")
    simulator = Simulator(directory, "--copy-seconds", "0.05")
    plugin = Process(
        [sys.executable, "-m", "gunicorn", "-b", f"unix:{directory}/plugin.sock", "plugin:app"],
        {
            "ICONIK_ID": simulator.app_id,
            "ICONIK_URL": simulator.url,
            "BZ_SHARED_SECRET": SECRET,
            "STATE_DIRECTORY": str(directory),
        },
        directory / "service.log",
    )
    plugin.wait_for_line("Listening at")
    http, https, nginx = start_nginx(directory, f"unix:{directory}/plugin.sock")
    front = Front(http, https, directory, simulator)
    wait_for("answer through nginx", lambda: answers(front, nginx), 120)
    yield front
    stop_all()


def answers(front: Front, nginx: Process) -> bool:
    assert nginx.is_running(), nginx.output()
    try:
        return requests.get(f"{front.url}/", verify=front.certificate, timeout=60).ok
    except requests.RequestException:
        return False


def click(front: Front, asset_id: str, size: int = 0, secret: str = SECRET) -> requests.Response:
    """Click through nginx, by a body that is filled up to a size."""
    posted = {"context": "ASSET", "asset_ids": [asset_id], "auth_token": front.simulator.token}
    return requests.post(
        f"{front.url}/add",
        params={
            "b2_storage_id": front.simulator.b2_storage_id,
            "ll_storage_id": front.simulator.ll_storage_id,
        },
        data=json.dumps(posted).ljust(size),
        headers={"x-bz-secret": secret, "Content-Type": "application/json"},
        verify=front.certificate,
        timeout=60,
    )


def test_a_click_goes_through_https_all_the_way(front: Front) -> None:
    answer = click(front, asset(front.simulator, "clip"))
    assert (answer.status_code, answer.json()["message"]) == (200, "OK")
    wait_for("copy", lambda: "clip_original.mov" in files(front.simulator.lucidlink), 120)


def test_http_leads_to_https(front: Front) -> None:
    answer = requests.get(
        f"http://localhost:{front.http}/add?b2_storage_id=1", allow_redirects=False, timeout=20
    )
    assert answer.status_code == 308
    assert answer.headers["Location"] == "https://localhost/add?b2_storage_id=1"


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_tls_before_1_2_is_refused(front: Front, version: ssl.TLSVersion) -> None:
    old = ssl.create_default_context(cafile=front.certificate)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = version
    with (
        socket.create_connection(("localhost", front.https), 10) as raw,
        pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"),
    ):
        old.wrap_socket(raw, server_hostname="localhost")


@pytest.mark.parametrize(
    "path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics"]
)
def test_the_metrics_are_not_passed_on(front: Front, path: str) -> None:
    plain = urllib3.PoolManager(ca_certs=front.certificate)
    answer = plain.request("GET", f"{front.url}{path}", preload_content=True)
    assert answer.status == 404
    assert b"b2_iconik" not in answer.data
    plain.clear()


def test_the_plugin_itself_shows_no_metrics_to_what_comes_through_nginx(front: Front) -> None:
    with socket.socket(socket.AF_UNIX) as plugin:
        plugin.connect(f"{front.directory}/plugin.sock")
        # As nginx would pass it on, if it did.
        plugin.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n"
            b"Connection: close\r\n\r\n"
        )
        assert plugin.recv(65_536).startswith(b"HTTP/1.1 403")


def test_the_metrics_can_be_read_through_the_unix_socket_itself(front: Front) -> None:
    with socket.socket(socket.AF_UNIX) as plugin:
        plugin.connect(f"{front.directory}/plugin.sock")
        plugin.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert plugin.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("size", [1_500_000, 4 * 1024 * 1024])
def test_a_click_of_any_size_that_the_plugin_takes_is_recorded(front: Front, size: int) -> None:
    answer = click(front, asset(front.simulator, f"large{size}"), size)
    assert (answer.status_code, answer.json()["message"]) == (200, "OK")


@pytest.mark.parametrize(("secret", "size", "status"), [("wrong", 4, 401), (SECRET, 4.5, 413)])
def test_the_plugin_s_refusal_of_a_large_click_arrives(
    front: Front, secret: str, size: float, status: int
) -> None:
    answer = click(front, "any", int(size * 1024 * 1024), secret)
    assert (answer.status_code, bool(answer.json()["message"])) == (status, True)


def test_a_body_far_too_large_is_refused(front: Front) -> None:
    answer = requests.post(
        f"{front.url}/add", data=b" " * 6_000_000, verify=front.certificate, timeout=20
    )
    assert answer.status_code == 413


def test_a_head_far_too_large_does_not_reach_the_plugin(front: Front) -> None:
    answer = requests.get(
        front.url, headers={"x-large": "x" * 9_000}, verify=front.certificate, timeout=20
    )
    assert answer.status_code == 400
    assert "nginx" in answer.text


def test_no_secret_is_logged(front: Front) -> None:
    click(front, asset(front.simulator, "another"))
    requests.post(
        f"{front.url}/add",
        data=b" " * 6_000_000,
        headers={"x-bz-secret": SECRET},
        verify=front.certificate,
        timeout=60,
    )
    logged = (front.directory / "b2-iconik-plugin.log").read_text()
    complained = (front.directory / "error.log").read_text()
    assert "POST /add" in logged
    assert "too large body" in complained
    for secret in (SECRET, front.simulator.token):
        assert secret not in logged + complained


@pytest.mark.parametrize("sent", ["head", "body"])
def test_slow_clients_keep_nobody_from_clicking_and_are_ended(front: Front, sent: str) -> None:
    start = b"POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
    context = ssl.create_default_context(cafile=front.certificate)
    slow = []
    for _ in range(SLOW_CLIENTS):
        raw = socket.create_connection(("localhost", front.https), 10)
        client = context.wrap_socket(raw, server_hostname="localhost")
        client.sendall(start + (b"\r\n{" if sent == "body" else b"x-"))
        slow.append(client)
    assert click(front, asset(front.simulator, f"beside_slow_{sent}")).status_code == 200

    def have_all_ended() -> bool:
        return all(has_ended(client) for client in slow)

    # Well before the minute that nginx gives by itself.
    wait_for("end of the slow clients", have_all_ended, 120)
    for client in slow:
        client.close()


def has_ended(client: ssl.SSLSocket) -> bool:
    """Whether the other side has closed a connection, perhaps after an answer."""
    client.settimeout(0.01)
    try:
        while client.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def look(front: Front, password: str = SECRET, **headers: str) -> requests.Response:
    return requests.get(
        f"{front.url}/operations",
        auth=("ada", password),
        headers=headers,
        verify=front.certificate,
        timeout=60,
    )


def test_the_operations_page_is_seen_through_https_and_its_password_logged_nowhere(
    front: Front,
) -> None:
    answer = look(front)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-cache"
    for name in ("operations.js", "operations.css"):
        static = f"{front.url}/static/{name}"
        assert requests.get(static, verify=front.certificate, timeout=60).status_code == 200
    logged = (front.directory / "b2-iconik-plugin.log").read_text()
    assert "GET /operations" in logged
    for log in ("b2-iconik-plugin.log", "service.log", "error.log"):
        written = (front.directory / log).read_text()
        assert SECRET not in written
        assert b64encode(f"ada:{SECRET}".encode()).decode() not in written


def test_a_button_of_the_page_works_through_https(front: Front) -> None:
    clicked = click(front, asset(front.simulator, "stopped")).json()["operation_id"]
    answer = requests.post(
        f"{front.url}/operations/{clicked}/stop",
        auth=("ada", SECRET),
        headers={"Origin": front.url},
        verify=front.certificate,
        timeout=60,
        allow_redirects=False,
    )
    assert answer.status_code == 303


def limited(front: Front, times: int, method: str, path: str) -> int:
    """How many of so many requests, sent as fast as possible, nginx refuses."""
    with requests.Session() as session, ThreadPoolExecutor(AT_ONCE) as pool:

        def ask(number: int) -> int:
            # Whoever guesses may claim to be somebody else each time.
            claim = {"X-Forwarded-For": f"198.51.100.{number % 256}"}
            url = f"{front.url}{path}"
            return session.request(
                method, url, headers=claim, verify=front.certificate, timeout=60
            ).status_code

        return list(pool.map(ask, range(times))).count(429)


# The last ones, as they use up what this machine may ask.
def test_hundreds_of_clicks_at_once_are_not_limited(front: Front) -> None:
    assert limited(front, 500, "POST", "/add") == 0


@pytest.mark.parametrize(
    "path",
    [
        "/operations",
        "//operations",
        "/%6fperations/x.csv",
        "/todo",
        "/todo.csv",
        "/lucidlink",
        "/assets/x",
    ],
)
def test_who_guesses_the_password_has_few_tries(front: Front, path: str) -> None:
    assert limited(front, 200, "GET", path) > 0
