"""What is said of a real server's databases that cannot be used."""

import pytest
import sqlalchemy as sa

from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from b2_iconik.report.database_problem import Unusable, opened


def problem(url: sa.URL) -> str:
    """What is said when it is opened, without the database's name."""
    with (
        pytest.raises(Unusable) as refused,
        opened(url.render_as_string(hide_password=False), 5.0),
    ):
        pass
    return str(refused.value).partition(":5432 ")[2]


def test_a_good_database_is_opened(database_url: str) -> None:
    engine = connect(database_url, 5.0)
    Ledger(engine).create()
    engine.dispose()
    with opened(database_url, 5.0) as engine:
        assert Ledger(engine).operation("1") is None


def test_a_database_without_tables_is_told(database_url: str) -> None:
    assert problem(sa.make_url(database_url)).startswith("has no tables of this service")


def test_a_missing_database_is_told(database_url: str) -> None:
    assert problem(sa.make_url(database_url).set(database="nothing")).startswith("does not exist: ")


def test_a_missing_user_is_told(database_url: str) -> None:
    told = problem(sa.make_url(database_url).set(username="nobody_of_this_name"))
    assert told.startswith("does not have this user: correct DATABASE_URL")


def test_a_server_that_is_off_is_told(database_url: str) -> None:
    url = sa.make_url(database_url).set(query={"host": "/nowhere"})
    assert problem(url).startswith("cannot be reached (No such file or directory): ")
