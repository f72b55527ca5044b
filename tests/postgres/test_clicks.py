"""The tests of clicks and of rights, on PostgreSQL and through nginx."""

import os
from collections.abc import Callable, Iterator
from itertools import count

import pytest
import requests

from dev.harness import wait_for
from tests.nginx.server import NGINX, start_nginx
from tests.postgres.conftest import Server, make_database
from tests.system import test_repeated_clicks, test_rights
from tests.system.desk import Desk
from tests.system.test_repeated_clicks import alone, desk_alone

__all__ = ["alone", "desk_alone"]

pytestmark = pytest.mark.skipif(
    not (NGINX or os.environ.get("REQUIRE_SERVERS")), reason="nginx is not installed"
)

for module in (test_repeated_clicks, test_rights):
    tests = {name: each for name, each in vars(module).items() if name.startswith("test_")}
    globals().update(tests)


@pytest.fixture(scope="module")
def another_database(server: Server) -> Callable[[], dict[str, str]]:
    """Makes an empty database; returns what a service is told of it."""
    numbers = count()
    return lambda: {"DATABASE_URL": make_database(server, f"test_clicks_{next(numbers)}")}


@pytest.fixture(scope="module")
def shared_desk(
    another_database: Callable[[], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """One service and one simulator for all tests, and nginx in front of the service."""
    directory = tmp_path_factory.mktemp("desk")
    desk = Desk(directory, another_database())
    _, https, nginx = start_nginx(directory, desk.service.url.removeprefix("http://"))
    desk.front, desk.verify = f"https://localhost:{https}", str(directory / "fullchain.pem")

    def answers() -> bool:
        try:
            return requests.get(f"{desk.front}/", verify=desk.verify, timeout=5).ok
        except requests.RequestException:
            return False

    wait_for("answer through nginx", answers, 30)
    yield desk
    nginx.stop()
    desk.stop()


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    """The module's desk; whatever a test does there, the promises are kept."""
    with shared_desk.kept():
        yield shared_desk
