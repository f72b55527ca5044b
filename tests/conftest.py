"""Which tests script/test runs, and what many need: settings, and an iconik that a test scripts."""

import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, SimpleNamespace

import hypothesis
import pytest
import responses
import sqlalchemy as sa
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from responses import RequestsMock

from b2_iconik.common import logs
from b2_iconik.common import settings as settings_module
from b2_iconik.common.meters import MeasuredSession
from b2_iconik.common.settings import Settings
from b2_iconik.ledger.operations import Ledger
from iconik import Iconik
from iconik_http.tokens import Tokens
from iconik_http.transport import Transport, open_session
from tests.fake_iconik import CLICK_TOKEN, FakeActions, NoPacer
from tests.makers import a_database, a_ledger

# The same examples on every machine, and however slow it is.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
# For script/mutants, where nobody reads the example that failed.
hypothesis.settings.register_profile(
    "first failure",
    hypothesis.settings.get_profile("repeatable"),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


class Compiled(BytecodeCache):
    """Keeps compiled templates for the next app; each would compile all that it shows."""

    def __init__(self) -> None:
        self._code: dict[str, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what was compiled before."""
        bucket.code = self._code.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled now."""
        assert bucket.code is not None
        self._code[bucket.key] = bucket.code


Flask.jinja_options = {"bytecode_cache": Compiled()}

EXAMPLE = Path(__file__).parent.parent / ".env.example"
ALL_SETTINGS = re.findall(r"^#?([A-Z0-9_]+)=", EXAMPLE.read_text(), re.MULTILINE)

# What begins so starts servers, and mostly waits for them. The longest come first.
SERVERS = (
    "system/test_scale", "system/test_faults", "install", "system", "postgres", "chromium", "nginx",
    "prometheus",
)  # fmt: skip
# The longest of the others, which come next.
LONGEST = ("operation/test_run", "web/test_pages", "ledger/test_claims")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave tests that start servers to script/test --all, except those that show a promise."""
    here = Path(__file__).parent
    names = (*SERVERS, *LONGEST)

    def position(item: pytest.Item) -> int:
        path = item.path.relative_to(here).as_posix()
        return next((n for n, name in enumerate(names) if path.startswith(name)), len(names))

    for item in items:
        if position(item) < len(SERVERS) and not item.get_closest_marker("promise"):
            item.add_marker(pytest.mark.full)
    items.sort(key=position)


@pytest.fixture
def environment() -> dict[str, str]:
    """Variables that make valid settings, each with a value of its own."""
    return {
        "ICONIK_ID": "a0a0a0a0-0000-4000-8000-000000000000",
        "BZ_SHARED_SECRET": "secret-shared-with-iconik-0123456789",
        "ICONIK_TOKEN": "token-of-the-application-0123456789",
        "ICONIK_URL": "https://iconik.test",
        "ICONIK_REQUESTS_PER_SECOND": "1000",
    }


@pytest.fixture
def settings(environment: dict[str, str], tmp_path: Path) -> Settings:
    """The settings that ``environment`` makes."""
    return settings_module.load(environment, tmp_path / "no.env")


@pytest.fixture
def own_environment(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    """Makes ``environment`` that of this process, in an empty working directory."""
    for name in ("STATE_DIRECTORY", *ALL_SETTINGS):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return environment


@pytest.fixture
def own_loggers() -> Iterator[None]:
    """Takes back what ``logs.configure`` does to the loggers of the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    # Closed by ``configure`` otherwise, and they are pytest's.
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.getLogger(logs.AUDIT).setLevel(logging.NOTSET)
    logs.operation_id.set(logs.NO_OPERATION)


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Has local time be that of New York, whatever time zones the machine knows."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Has retries go on at once; the seconds each would have waited."""
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waited.append))
    return waited


@pytest.fixture
def http(waits: list[float]) -> Iterator[RequestsMock]:
    """Answers requests; a request that no test announced is a failed connection."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def pacer() -> NoPacer:
    """A pacer that does not wait."""
    return NoPacer()


@pytest.fixture
def transport(settings: Settings, pacer: NoPacer, http: RequestsMock) -> Iterator[Transport]:
    """A transport with a click's token and an application's."""
    tokens = Tokens(CLICK_TOKEN, settings.iconik_token or "")
    session = open_session(settings.iconik_url, settings.iconik_id, session=MeasuredSession())
    made = Transport(settings.iconik_url, settings.iconik_id, tokens, pacer, session=session)
    yield made
    made.close()


@pytest.fixture
def iconik(transport: Transport) -> Iconik:
    """A client over ``transport``."""
    return Iconik(transport)


@pytest.fixture
def actions(http: RequestsMock) -> FakeActions:
    """iconik's custom actions, of which there are none yet."""
    return FakeActions(http)


@pytest.fixture
def opened_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a click is about is listed by the test, as with a collection."""
    monkeypatch.setattr("b2_iconik.ledger.intake.KNOWN_AT_ONCE", 0)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database of this service, in SQLite."""
    with a_database(tmp_path) as engine:
        yield engine


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    """What is in ``engine``."""
    return a_ledger(engine)
