"""A database that an older version filled, which had DBOS run the operations."""

import sqlalchemy as sa

from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import begin_term
from tests.makers import a_click, clicked


def test_a_click_that_dbos_holds_is_taken_over(engine: sa.Engine) -> None:
    clicked(engine, a_click("add"))
    with engine.begin() as connection:
        for statement in (
            "CREATE SCHEMA dbos",
            "CREATE TABLE dbos.workflow_status (workflow_uuid TEXT, status TEXT)",
            "CREATE TABLE dbos.workflow_input (workflow_uuid TEXT, inputs TEXT)",
            "INSERT INTO dbos.workflow_status VALUES ('operation-1', 'PENDING')",
            "INSERT INTO dbos.workflow_input VALUES ('operation-1', 'sealed')",
            "UPDATE plugin_operations SET sealed = NULL",
        ):
            connection.execute(sa.text(statement))
    (operation,) = Ledger(engine, begin_term(engine, 0)).open(())
    assert Ledger(engine).sealed(operation.id) == "sealed"
