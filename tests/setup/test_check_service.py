"""What is said of the way to the service, and who is sent the secret."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from responses import RequestsMock

from b2_iconik.common.settings import Settings
from b2_iconik.common.version import VERSION
from b2_iconik.setup import check_service
from b2_iconik.setup.action_url import endpoint

HOST = "https://plugin.test"
READY = {"message": "The B2 storage plugin for iconik is ready.", "version": VERSION}


def said(settings: Settings, where: str | None = HOST) -> list[tuple[str, str, str]]:
    """What, how it is, and the detail."""
    found = check_service.check(endpoint(where) if where else None, settings)
    return [(each.what, each.state, each.detail) for each in found]


def answer(http: RequestsMock, root: str = HOST, **answers: dict[str, Any]) -> None:
    """Have the service answer well, but where another answer is given."""
    http.get(f"{root}/", **answers.get("ready", {"json": READY}))
    http.get(f"{root}/healthz", **answers.get("health", {"json": {"message": "OK"}}))
    http.post(f"{root}/check", **answers.get("check", {"json": {"message": "OK"}}))


@pytest.mark.parametrize("root", [HOST, f"{HOST}/b2"])
def test_a_service_that_is_as_it_should_be(
    http: RequestsMock, settings: Settings, root: str
) -> None:
    answer(http, root)
    assert said(settings, root) == [
        ("endpoint", "ok", f"{root} answers over HTTPS, with a valid certificate"),
        ("health", "ok", "clicks can be recorded, and a process is running the operations"),
        ("the service's secret", "ok", "matches BZ_SHARED_SECRET"),
    ]
    assert [call.request.headers.get("x-bz-secret") for call in http.calls] == [
        None, None, settings.secret,
    ]  # fmt: skip
    assert http.calls[2].request.body is None


def test_without_an_endpoint_nothing_is_asked(http: RequestsMock, settings: Settings) -> None:
    ((what, state, detail),) = said(settings, None)
    assert (what, state) == ("endpoint", "unknown")
    assert "give --endpoint" in detail
    assert len(http.calls) == 0


def test_http_on_this_machine_is_noted(http: RequestsMock, settings: Settings) -> None:
    answer(http, "http://localhost:8000")
    assert said(settings, "http://localhost:8000")[0][1] == "note"


def test_another_version_is_noted(http: RequestsMock, settings: Settings) -> None:
    answer(http, ready={"json": {**READY, "version": "0.0.1"}})
    noted = [detail for _, state, detail in said(settings) if state == "note"]
    assert noted == [f"version 0.0.1 is running there, but this checkout is {VERSION}"]


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ({"status": 502, "body": "<html>Bad Gateway"}, "answers 502: the proxy cannot reach"),
        ({"status": 200, "body": "<h1>Welcome to nginx!"}, "answers 200, but not as the plugin"),
        ({"status": 200, "json": ["version"]}, "answers 200, but not as the plugin"),
        ({"status": 404, "json": READY}, "answers 404, but not as the plugin"),
        (
            {"status": 308, "headers": {"Location": "https://elsewhere.test/"}},
            "redirects to https://elsewhere.test/",
        ),
        ({"body": requests.ConnectTimeout()}, "does not answer in time"),
        ({"body": requests.ConnectionError("Name or service not known")}, "cannot be reached"),
        ({"body": requests.exceptions.SSLError("expired")}, "no valid certificate (expired)"),
        ({"body": b"[" * 100_000}, "not as the plugin would"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_is_not_the_plugin_is_told_and_not_sent_the_secret(
    http: RequestsMock, settings: Settings, problem: dict[str, Any], told: str
) -> None:
    answer(http, ready=problem)
    what, state, detail = said(settings)[0]
    assert (what, state) == ("endpoint", "wrong")
    assert told in detail
    assert all("x-bz-secret" not in call.request.headers for call in http.calls)


@pytest.mark.parametrize("problem", [{"status": 502}, {"body": requests.ConnectTimeout()}])
def test_an_address_is_told_with_its_port(
    http: RequestsMock, settings: Settings, problem: dict[str, Any]
) -> None:
    answer(http, f"{HOST}:8443", ready=problem)
    assert said(settings, f"{HOST}:8443")[0][2].startswith("plugin.test:8443 ")


def test_a_service_that_can_not_work_says_why(http: RequestsMock, settings: Settings) -> None:
    answer(
        http, health={"status": 503, "json": {"message": "no process is running the operations"}}
    )
    assert said(settings)[1] == (
        "health", "wrong", "the service answers 503: no process is running the operations",
    )  # fmt: skip


@pytest.mark.parametrize("status", [200, 404])
def test_the_health_that_something_else_answers_for_is_unknown(
    http: RequestsMock, settings: Settings, status: int
) -> None:
    answer(http, health={"status": status, "body": "<html><title>Error 404 (Not Found)!!1</title>"})
    _, (what, state, detail), (_, secret, _) = said(settings)
    assert (what, state, secret) == ("health", "unknown", "ok")
    assert detail.startswith(
        f"something in front of the plugin answers /healthz ({status}), as Google Cloud does"
    )


@pytest.mark.parametrize(
    "problem",
    [{"status": 404, "json": {"message": "not found"}}, {"status": 502, "body": "Bad Gateway"}],
    ids=lambda problem: str(problem["status"]),
)
def test_a_health_that_is_the_services_own_and_bad_is_wrong(
    http: RequestsMock, settings: Settings, problem: dict[str, Any]
) -> None:
    answer(http, health=problem)
    assert said(settings)[1][:2] == ("health", "wrong")


def test_another_secret_there_is_told(http: RequestsMock, settings: Settings) -> None:
    answer(http, check={"status": 401, "json": {"message": "wrong"}})
    what, state, detail = said(settings)[2]
    assert (what, state) == ("the service's secret", "wrong")
    assert detail.startswith("differs from BZ_SHARED_SECRET here")
    assert settings.secret not in detail


def test_a_service_that_is_too_old_to_be_asked_is_unknown(
    http: RequestsMock, settings: Settings
) -> None:
    answer(http, check={"status": 404, "json": {"message": "not found"}})
    assert said(settings)[2] == (
        "the service's secret", "unknown", "the service answers 404 to the check",
    )  # fmt: skip


def test_a_service_that_goes_away_meanwhile_is_told(http: RequestsMock, settings: Settings) -> None:
    answer(http, check={"body": requests.ReadTimeout()})
    assert said(settings)[2][:2] == ("endpoint", "wrong")


# Real certificates


def make_certificate(directory: Path, name: str, valid_for: timedelta) -> Path:
    """Write a certificate that signs itself, with its key; returns the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + valid_for)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = directory / "certificate.pem"
    file.write_bytes(
        certificate.public_bytes(pem)
        + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


class Plugin(BaseHTTPRequestHandler):
    """Answers everything as the front page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"message": "OK", "version": "%s"}' % VERSION.encode())

    do_POST = do_GET  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def serving(certificate: Path) -> Iterator[str]:
    """A server with a certificate; yields its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = HTTPServer(("127.0.0.1", 0), Plugin)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("name", "days", "is_trusted", "told"),
    [
        ("localhost", 1, True, None),
        ("localhost", 1, False, "self-signed certificate"),
        ("localhost", -1, True, "certificate has expired"),
        ("elsewhere.test", 1, True, "Hostname mismatch, certificate is not valid for 'localhost'"),
    ],
)
def test_only_a_valid_certificate_will_do(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    days: int,
    is_trusted: bool,
    told: str | None,
) -> None:
    certificate = make_certificate(tmp_path, name, timedelta(days=days))
    if is_trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(certificate) as where:
        what, state, detail = said(settings, where)[0]
    assert (what, state) == ("endpoint", "wrong" if told else "ok")
    if told:
        # With its port.
        assert detail.startswith(f"{where.removeprefix('https://')} has no valid certificate (")
        assert told in detail


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("https://localhost:1", "localhost:1 cannot be reached (Connection refused)"),
        ("https://nobody.invalid", "nobody.invalid cannot be reached ("),
    ],
)
def test_where_nobody_listens_is_told(settings: Settings, where: str, told: str) -> None:
    ((_, state, detail),) = said(settings, where)
    assert state == "wrong"
    assert detail.startswith(told)
    assert "object at" not in detail


def test_a_server_without_tls_is_told(settings: Settings) -> None:
    server = HTTPServer(("127.0.0.1", 0), Plugin)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    ((_, state, detail),) = said(settings, f"https://localhost:{server.server_port}")
    thread.join()
    server.server_close()
    assert state == "wrong"
    assert detail.startswith(f"localhost:{server.server_port} has no valid certificate (")
