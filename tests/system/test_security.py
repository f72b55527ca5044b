"""What must stay confidential, and the limits of a request."""

import hmac
import json
import os
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from responses import RequestsMock

import plugin
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader_lock import only_one
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.database import connect, writing
from dev.harness import ROOT, SECRET, Service, Simulator, stop_all, wait_for
from iconik import Iconik
from iconik_http.errors import IconikRefused, IconikUnavailable
from iconik_http.tokens import Tokens
from iconik_http.transport import Transport
from tests.fake_iconik import NoPacer
from tests.makers import FOR_EVER
from tests.system.media import asset, files

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
STORAGES = f"b2_storage_id={ID}&ll_storage_id={OTHER}"
CLICK_TOKEN = "token-of-the-click-that-nobody-may-see"
APP_TOKEN = "token-of-the-app-that-nobody-may-see"
OLD = "old-secret-shared-with-iconik"
NEW = "new-secret-shared-with-iconik-0123456789"
PATIENCE = 120.0


def click(
    service: Service, secret: str = SECRET, body: object = None, action: str = "add"
) -> requests.Response:
    """Post a click, or any bytes, with some secret."""
    posted = {"context": "ASSET", "asset_ids": [ID], "auth_token": CLICK_TOKEN}
    data = body if isinstance(body, bytes) else json.dumps(body or posted).encode()
    return requests.post(
        f"{service.url}/{action}?{STORAGES}",
        data=data,
        headers={"x-bz-secret": secret},
        timeout=30,
    )


# The shared secret


class Counting:
    """Compares as ``hmac`` does, and remembers what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compared: list[bytes] = []
        self._compare = hmac.compare_digest
        monkeypatch.setattr(hmac, "compare_digest", self.compare)

    def compare(self, given: bytes, secret: bytes) -> bool:
        """Compare two texts in a time that tells nothing of where they differ."""
        self.compared.append(secret)
        return self._compare(given, secret)


@pytest.mark.parametrize("given", [NEW, OLD, "", NEW[:-1], "another"])
def test_every_secret_is_compared_in_constant_time_whatever_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    settings = Settings("id", NEW, OLD, database_url=f"sqlite:///{tmp_path / 'x.sqlite'}")
    client = plugin.create_app(settings, Recorder(settings)).test_client()
    counting = Counting(monkeypatch)
    # There is no query, so that whoever has the secret is told about that.
    status = client.post("/add", headers={"x-bz-secret": given}).status_code
    assert status == (400 if given in (NEW, OLD) else 401)
    assert counting.compared == [NEW.encode(), OLD.encode()]


def create_actions(service: Service, secret: str) -> None:
    """Run the set-up script, as an administrator does."""
    simulator = service.simulator
    command = [
        sys.executable, "create_custom_actions.py", "--endpoint", service.url,
        "--b2_storage_id", simulator.b2_storage_id, "--ll_storage_id", simulator.ll_storage_id,
    ]  # fmt: skip
    environment = {**os.environ, **service.environment, "BZ_SHARED_SECRET": secret}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=60)


def click_in_iconik(simulator: Simulator, asset_id: str) -> Any:
    """Pick Add to LucidLink in iconik; returns what came back."""
    wanted = {"title": "Add to LucidLink", "context": "ASSET", "asset_ids": [asset_id]}
    return simulator.control("POST", "click", wanted)


def is_healthy(service: Service) -> bool:
    """Whether it says that it records and runs operations."""
    return requests.get(f"{service.url}/healthz", timeout=60).ok


def restart(service: Service, **environment: str) -> None:
    """Start the service with other settings."""
    service.restart(**environment)
    wait_for("healthy service", lambda: is_healthy(service), PATIENCE)


def test_the_secret_is_replaced_without_losing_a_click(
    tmp_path: Path, simulator: Simulator
) -> None:
    service = Service(tmp_path, simulator, environment={"BZ_SHARED_SECRET": OLD})
    assert "BZ_SHARED_SECRET has fewer than 32 characters" in service.log()
    create_actions(service, OLD)
    simulator.control("PATCH", "settings", {"copies_paused": True})
    clips = [asset(simulator, f"clip{number}") for number in range(4)]
    before = click_in_iconik(simulator, clips[0])["body"]["operation_id"]
    wait_for("copy", lambda: service.progress(before).get("copying"), PATIENCE)

    restart(service, BZ_SHARED_SECRET=NEW, BZ_SHARED_SECRET_PREVIOUS=OLD)
    assert "BZ_SHARED_SECRET has fewer than" not in service.log()
    # iconik's actions still have the old one.
    between = click_in_iconik(simulator, clips[1])["body"]["operation_id"]
    create_actions(service, NEW)
    after = click_in_iconik(simulator, clips[2])["body"]["operation_id"]
    simulator.control("PATCH", "settings", {"copies_paused": False})
    for operation_id in (before, between, after):
        assert service.report(operation_id)["counts"]["copied"] == 1

    del service.environment["BZ_SHARED_SECRET_PREVIOUS"]
    restart(service)
    assert click(service, OLD).status_code == 401
    last = click_in_iconik(simulator, clips[3])["body"]["operation_id"]
    assert service.report(last)["counts"]["copied"] == 1
    assert len(files(simulator.lucidlink)) == len(clips)
    service.stop()


def test_no_operation_is_lost_when_the_previous_secret_is_removed_too_early(
    tmp_path: Path, simulator: Simulator
) -> None:
    service = Service(tmp_path, simulator, environment={"BZ_SHARED_SECRET": OLD})
    simulator.control("PATCH", "settings", {"copies_paused": True})
    create_actions(service, OLD)
    clip = asset(simulator, "clip")
    operation_id = click_in_iconik(simulator, clip)["body"]["operation_id"]
    service.restart(BZ_SHARED_SECRET=NEW)
    wait_for(
        "complaint",
        lambda: "set BZ_SHARED_SECRET_PREVIOUS to the old one" in service.log(),
        PATIENCE,
    )
    # A process that looks whether it can run them has the lock for a moment.
    wait_for("bad health", lambda: not is_healthy(service), PATIENCE)
    restart(service, BZ_SHARED_SECRET_PREVIOUS=OLD)
    simulator.control("PATCH", "settings", {"copies_paused": False})
    assert service.report(operation_id)["counts"]["copied"] == 1
    service.stop()


# What lies on the disk


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    """Sets the umask of this process, and of what it starts; the old one comes back."""
    before = os.umask(0)
    yield os.umask
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    """The permissions of the database, its journals and its lock."""
    return {
        path.name.removeprefix("operations.sqlite"): stat.S_IMODE(path.stat().st_mode)
        for path in directory.glob("operations.sqlite*")
    }


def test_what_the_service_writes_is_readable_by_its_owner_alone_whatever_the_umask(
    tmp_path: Path, simulator: Simulator, umask: Callable[[int], int]
) -> None:
    umask(0)
    service = Service(tmp_path, simulator)
    assert service.click("add", asset_ids=[asset(simulator, "clip")]).status_code == 200
    assert modes(tmp_path) == dict.fromkeys(["", "-wal", "-shm", ".lock"], 0o600)
    service.stop()


def test_what_others_could_read_before_is_made_readable_by_its_owner_alone(
    tmp_path: Path, umask: Callable[[int], int]
) -> None:
    umask(0)
    path = tmp_path / "operations.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE old (x)")
        database.commit()
        Path(f"{path}.lock").touch()
        for each in tmp_path.iterdir():
            each.chmod(0o644)
        engine = connect(f"sqlite:///{path}", 5)
        with writing(engine), only_one(f"sqlite:///{path}"):
            assert modes(tmp_path) == dict.fromkeys(["", "-wal", "-shm", ".lock"], 0o600)
        engine.dispose()


# Servers that are not iconik


class Server:
    """A web server in this process.

    Args:
        respond: by the request's handler, what is answered: status, reason, headers, body.

    Attributes:
        got: path and headers of every request.
        url: its address.
    """

    def __init__(
        self, respond: Callable[[Any], tuple[int, str, dict[str, str], bytes]] | None = None
    ) -> None:
        self.got: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Answer any request."""
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                given = respond(self) if respond else (200, "OK", {}, b"{}")
                status, reason, headers, body = given
                self.send_response(status, reason)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_DELETE = do_CONNECT = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(respond: Any = None) -> Iterator[Server]:
    """A web server, while a test needs it."""
    server = Server(respond)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def reaching(url: str) -> Iterator[Transport]:
    """The way to an iconik, with a click's token."""
    transport = Transport(url, ID, Tokens(CLICK_TOKEN), NoPacer())
    try:
        yield transport
    finally:
        transport.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_redirect_takes_our_headers_nowhere(status: int, method: str) -> None:
    with serving() as elsewhere:

        def redirect(_: Any) -> tuple[int, str, dict[str, str], bytes]:
            return status, "Go there", {"Location": f"{elsewhere.url}/API/x/"}, b""

        with serving(redirect) as iconik, reaching(iconik.url) as transport:
            with pytest.raises(IconikUnavailable, match=str(status)):
                transport.object(method, "x/", "ask", "a_role", once=True)
            assert len(iconik.got) == 1
        assert elsewhere.got == []


@pytest.mark.parametrize(
    "next_url",
    ["{elsewhere}/API/x/", "//{host}/API/x/", "/\\{host}/", "@{host}/", "\t//{host}/", "x/", 7],
)
def test_a_next_page_elsewhere_is_not_asked_for(next_url: Any) -> None:
    with serving() as elsewhere:
        host = elsewhere.url.removeprefix("http://")
        if isinstance(next_url, str):
            next_url = next_url.format(elsewhere=elsewhere.url, host=host)
        page = json.dumps({"objects": [], "next_url": next_url}).encode()

        def lead_away(request: Any) -> tuple[int, str, dict[str, str], bytes]:
            return 200, "OK", {}, page if "per_page" in request.path else b'{"objects": []}'

        with serving(lead_away) as iconik, reaching(iconik.url) as transport:
            with suppress(Exception):
                list(transport.pages("x/", "list", "a_role"))
            assert iconik.got
        assert elsewhere.got == []


def test_neither_a_netrc_nor_a_proxy_of_the_environment_has_a_say_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving() as elsewhere, serving() as iconik, reaching(iconik.url) as transport:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, elsewhere.url)
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NO_PROXY", "")
        transport.object("GET", "x/", "ask", "a_role")
        ((_, headers),) = iconik.got
        assert headers["auth-token"] == CLICK_TOKEN
        assert "authorization" not in headers
        assert elsewhere.got == []


def test_a_netrc_adds_no_password_to_what_iconik_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: Transport, http: RequestsMock
) -> None:
    (tmp_path / "netrc").write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    http.get("https://iconik.test/API/x/", json={})
    transport.object("GET", "x/", "ask", "a_role")
    assert "Authorization" not in http.calls[0].request.headers


def test_a_proxy_of_the_environment_sees_nothing_of_what_is_sent_to_iconik(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    for name in ("no_proxy", "NO_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(lambda _: (403, "No", {}, b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with reaching("https://iconik.test") as transport, pytest.raises(IconikUnavailable):
            transport.object("GET", "x/", "ask", "a_role")
    assert {path for path, _ in proxy.got} == {"iconik.test:443"}
    assert not any({"auth-token", "app-id"} & set(headers) for _, headers in proxy.got)


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "x", f"{ID}/..", "../../users", f"{ID}?x=1", f"{ID}\n", "%2e%2e", "*"]
)
def test_what_is_no_uuid_comes_into_no_url(bad: str) -> None:
    with serving() as server, reaching(server.url) as transport:
        iconik = Iconik(transport)
        calls: list[Callable[[], object]] = [
            lambda: iconik.storage(bad),
            lambda: iconik.copy_to_storage(bad, "ORIGINAL", [ID], OTHER),
            lambda: iconik.asset_exists(bad),
            lambda: iconik.formats(bad),
            lambda: iconik.files(bad),
            lambda: iconik.file_sets(bad),
            lambda: iconik.search_assets([ID, bad]),
            lambda: iconik.restore_file_set(bad, ID),
            lambda: iconik.restore_file_set(ID, bad),
            lambda: iconik.delete_file_set(bad, ID, until=FOR_EVER),
            lambda: iconik.delete_file_set(ID, bad, until=FOR_EVER),
            lambda: iconik.purge_file_set(bad, ID, until=FOR_EVER),
            lambda: iconik.purge_file_set(ID, bad, until=FOR_EVER),
            lambda: iconik.delete_file_sets(bad, [ID], until=FOR_EVER),
            lambda: iconik.delete_file_sets(ID, [ID, bad], until=FOR_EVER),
            lambda: iconik.purge_file_sets([ID, bad], until=FOR_EVER),
            lambda: iconik.asset_title(bad),
            lambda: iconik.collection(bad),
            lambda: iconik.saved_search_name(bad),
            lambda: iconik.playlist_title(bad),
            lambda: iconik.user_name(bad),
            lambda: iconik.update_job(bad, {}),
            lambda: iconik.jobs([ID, bad]),
            lambda: iconik.transfers(bad),
            lambda: iconik.failed_children(bad),
            lambda: list(iconik.collection_contents(bad)),
            lambda: list(iconik.saved_search_results(bad)),
            lambda: iconik.job(bad),
            lambda: iconik.update_custom_action(bad, {"context": "ASSET", "title": "x"}),
            lambda: iconik.delete_custom_action("ASSET", bad),
        ]
        for call in calls:
            with pytest.raises(IconikRefused):
                call()
        assert server.got == []


# No token and no secret anywhere


def everything_told(service: Service, *answers: object) -> bytes:
    """What others could read: logs, database, command lines, and the answers."""
    seen = [repr(answers).encode()]
    seen += [path.read_bytes() for path in service.process.log.parent.iterdir() if path.is_file()]
    for process in (service.process.pid, *service.process.children()):
        seen.append(Path(f"/proc/{process}/cmdline").read_bytes())
    return b"\n".join(seen)


def told_by(answer: requests.Response) -> tuple[int, str, str]:
    """All that an answer says."""
    return answer.status_code, str(answer.headers), answer.text


def raw(service: Service, sent: bytes) -> bytes:
    """Send bytes that need not be HTTP; returns all that comes back."""
    parts = urlsplit(service.url)
    with socket.create_connection((str(parts.hostname), parts.port or 80), PATIENCE) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        told = []
        with suppress(ConnectionError):
            while part := client.recv(65_536):
                told.append(part)
        return b"".join(told)


def chunked(body: bytes, secret: str = SECRET) -> bytes:
    """A click whose body comes in chunks, sent as given."""
    head = f"POST /add?{STORAGES} HTTP/1.1\r\nHost: x\r\nx-bz-secret: {secret}\r\n"
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + body


class Parrot:
    """An iconik that repeats the token that it was sent, wherever it can.

    Attributes:
        statuses: what it answers, in turn; the last one for ever.
    """

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    def __call__(self, request: Any) -> tuple[int, str, dict[str, str], bytes]:
        """Answer a request."""
        token = str(request.headers["Auth-Token"])
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        body = {"errors": [f"{token} may not", token], "token": token, "name": 1}
        return status, f"No {token}", {"X-Token": token}, json.dumps(body).encode()


def confidential_places(
    told: bytes, values: Sequence[str] = (CLICK_TOKEN, APP_TOKEN, SECRET, OLD)
) -> list[str]:
    """Where what nobody may see was told."""
    return [
        repr(told[max(0, found.start() - 300) : found.end() + 40])
        for value in values
        for found in re.finditer(re.escape(value.encode()), told)
    ]


@pytest.fixture(scope="module")
def iconik() -> Parrot:
    """An iconik that refuses everything, and repeats tokens."""
    return Parrot(403)


@pytest.fixture(scope="module")
def parroted(iconik: Parrot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all of these, with that iconik, and all that it can log."""
    directory = tmp_path_factory.mktemp("parroted")
    with serving(iconik) as server:
        environment = {
            "ICONIK_URL": server.url,
            "ICONIK_TOKEN": APP_TOKEN,
            "BZ_SHARED_SECRET_PREVIOUS": OLD,
            "LOG_LEVEL": "DEBUG",
        }
        service = Service(directory / "service", Simulator(directory), environment=environment)
        yield service
        service.stop()
        stop_all()


@pytest.mark.parametrize("status", [400, 401, 403])
def test_no_token_is_told_when_iconik_refuses_and_repeats_it(
    parroted: Service, iconik: Parrot, status: int
) -> None:
    iconik.statuses = [status]
    answer = click(parroted)
    report = parroted.report(answer.json()["operation_id"])
    assert report["failure"]
    assert confidential_places(everything_told(parroted, told_by(answer), report)) == []


def test_no_token_is_told_when_iconik_fails_and_repeats_it(
    parroted: Service, iconik: Parrot
) -> None:
    iconik.statuses = [500]
    answer = click(parroted)
    wait_for("outage", lambda: "iconik answered 500" in parroted.log(), PATIENCE)
    iconik.statuses = [403]
    report = parroted.report(answer.json()["operation_id"])
    assert confidential_places(everything_told(parroted, told_by(answer), report)) == []


def test_no_token_and_no_secret_is_told_of_clicks_that_are_refused(parroted: Service) -> None:
    good = {"context": "ASSET", "asset_ids": [ID], "auth_token": CLICK_TOKEN}
    text = json.dumps(good).encode()
    answers = [
        told_by(click(parroted, body=body))
        for body in (
            text[:-1],
            text.replace(b":", b"="),
            b"[" + text + b"]",
            {**good, "auth_token": [CLICK_TOKEN]},
            {**good, "auth_token": f"{CLICK_TOKEN}\r\n"},
            {**good, "asset_ids": [CLICK_TOKEN]},
            {**good, "context": CLICK_TOKEN},
            {**good, "user_id": CLICK_TOKEN},
        )
    ]
    assert {answer[0] for answer in answers} == {400}
    broken = [
        chunked(text),
        chunked(b"%x\r\n" % len(text) + text + text),
        chunked(b"5\r\n" + text),
        chunked(b"1;" + text + b"\r\n"),
        chunked(b"ffffff\r\n" + text),
        chunked(text, "wrong"),
        chunked(b"", f"{SECRET}\0"),
        chunked(b"", f"{SECRET}\n {SECRET}"),
        f"POST /add?{STORAGES} HTTP/1.1\r\n{SECRET}\r\n\r\n".encode(),
    ]
    told = [raw(parroted, each) for each in broken]
    assert {each[:12] for each in told} <= {b"HTTP/1.1 400", b"HTTP/1.1 401"}
    assert "internal error in the plugin" not in parroted.log()
    assert confidential_places(everything_told(parroted, answers, told)) == []


SHOUTED = "A-SECRET-THAT-IS-SENT-WHERE-IT-DOES-NOT-BELONG"
HEAD = f"POST /add?{STORAGES} HTTP/1.1\r\nHost: x\r\n"
MISPLACED = {
    "as the request line": f"{SECRET}\r\n\r\n",
    "before the request line": f"{SECRET}\r\n{HEAD}\r\n",
    "as the method": f"{SECRET} / HTTP/1.1\r\n\r\n",
    "in a method that is too long": f"{SHOUTED} / HTTP/1.1\r\n\r\n",
    "as the path": f"GET {SECRET} HTTP/1.1\r\n\r\n",
    "as the host": f"GET http://[{SECRET}/ HTTP/1.1\r\n\r\n",
    "as the version": f"GET / {SECRET}\r\n\r\n",
    "as Transfer-Encoding": f"{HEAD}Transfer-Encoding: {SECRET}\r\n\r\n",
    "as Content-Length": f"{HEAD}Content-Length: {SECRET}\r\n\r\n",
    "as Expect": f"{HEAD}Expect: {SECRET}\r\n\r\n",
    "in a folded header": f"{HEAD}x-bz-secret: a\r\n {SECRET}\r\n\r\n",
    "as a header's name": f"{HEAD}{SECRET} x: a\r\n\r\n",
    "in an unfinished head": f"{HEAD}x-bz-secret: {SECRET}",
    "behind a body that is too long": f"{HEAD}Content-Length: 2\r\n\r\n{{}}{SECRET}\r\n\r\n",
    "as the size of a chunk": f"{HEAD}Transfer-Encoding: chunked\r\n\r\n{SECRET}\r\n",
    "in a bare line feed": f"{HEAD}x-bz-secret: {SECRET}\n\r\n\r\n",
}


@pytest.mark.parametrize("sent", MISPLACED.values(), ids=MISPLACED.keys())
def test_of_a_request_that_can_not_be_parsed_nothing_is_logged_or_sent_back(
    parroted: Service, sent: str
) -> None:
    before = len(parroted.log())
    told = raw(parroted, sent.encode())
    assert not told or told.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5"))
    # Logged after what was sent, if at all.
    assert raw(parroted, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 200")
    assert confidential_places(told + parroted.log()[before:].encode(), (SECRET, SHOUTED)) == []


def test_no_token_and_no_secret_is_told_of_a_click_that_could_not_be_recorded(
    parroted: Service,
) -> None:
    path = parroted.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=60)) as other, ThreadPoolExecutor() as pool:
        other.execute("BEGIN IMMEDIATE")
        asked = pool.submit(requests.get, f"{parroted.url}/healthz", timeout=30)
        answer, health = click(parroted), asked.result()
        assert (answer.status_code, health.status_code) == (503, 503)
        other.rollback()
    assert "locked" not in answer.text + health.text
    assert "database is locked" in parroted.log()
    told = everything_told(parroted, told_by(answer), told_by(health))
    assert confidential_places(told) == []


def test_no_token_and_no_secret_is_told_with_a_fault_of_our_own(
    parroted: Service, iconik: Parrot
) -> None:
    iconik.statuses = [500]
    answer = click(parroted)
    operation_id = answer.json()["operation_id"]
    in_trouble = re.compile(rf"\[{operation_id}\].* iconik answered 500")
    wait_for("beginning", lambda: in_trouble.search(parroted.log()), PATIENCE)
    path = parroted.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=60)) as other, other:
        other.execute("DELETE FROM plugin_operations")
    wait_for("fault", lambda: "Traceback" in parroted.log(), PATIENCE)
    assert "internal error in the plugin" in parroted.log()
    assert confidential_places(everything_told(parroted, told_by(answer))) == []


def test_no_token_and_no_secret_is_told_of_operations_that_end_well(
    tmp_path: Path, simulator: Simulator
) -> None:
    for token in (CLICK_TOKEN, APP_TOKEN):
        simulator.control("POST", "tokens", {"token": token})
    service = Service(
        tmp_path / "service",
        simulator,
        environment={"ICONIK_TOKEN": APP_TOKEN, "LOG_LEVEL": "DEBUG"},
    )
    simulator.control("PATCH", "settings", {"copies_paused": True})
    clip = asset(simulator, "clip")
    body = {"context": "ASSET", "asset_ids": [clip], "auth_token": CLICK_TOKEN}
    answer = service.post("add", body)
    operation_id = answer.json()["operation_id"]
    wait_for("copy", lambda: service.progress(operation_id).get("copying"), PATIENCE)
    # Half-way, the click's own token stops working.
    simulator.control("DELETE", f"tokens/{CLICK_TOKEN}")
    simulator.control("PATCH", "settings", {"copies_paused": False})
    report = service.report(operation_id)
    assert report["counts"]["copied"] == 1
    shown = subprocess.run(
        [sys.executable, "show_operations.py", "show", "--json", operation_id],
        cwd=ROOT,
        env={**os.environ, **service.environment},
        capture_output=True,
        check=True,
        timeout=60,
    )
    told = everything_told(service, told_by(answer), report, shown.stdout, shown.stderr)
    assert b"rejected a token" in told
    assert confidential_places(told) == []
    service.stop()


# Limits


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service as it is shipped."""
    directory = tmp_path_factory.mktemp("shared")
    yield Service(directory, Simulator(directory))
    stop_all()


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (200, "GET / HTTP/1.1\r\n" + "".join(f"H{n}: x\r\n" for n in range(50))),
        (431, "GET / HTTP/1.1\r\n" + "".join(f"H{n}: x\r\n" for n in range(51))),
        (200, f"GET / HTTP/1.1\r\nH: {'x' * 8000}\r\n"),
        (431, f"GET / HTTP/1.1\r\nH: {'x' * 8200}\r\n"),
        (200, f"GET /?{'x' * 4000} HTTP/1.1\r\n"),
        (414, f"GET /?{'x' * 4100} HTTP/1.1\r\n"),
    ],
)
def test_the_head_of_a_request_has_limits(shared: Service, status: int, head: str) -> None:
    assert raw(shared, head.encode() + b"\r\n").startswith(f"HTTP/1.1 {status} ".encode())
