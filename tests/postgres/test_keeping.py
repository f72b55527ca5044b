"""What is on LucidLink, and until when, in a real PostgreSQL."""

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.due import Due
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.holdings import Holdings
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.tables import holdings
from tests.makers import (
    CLICKED,
    a_click,
    a_term,
    carried_out,
    claims_of,
    expanded,
    held,
    newest,
    protect,
)

DAY = 86_400_000
ADD = a_click(keep_ms=DAY, formats=("ORIGINAL", "PROXY"))
CIPHER = Cipher(("s" * 32,))


def test_times_are_recorded_and_are_over(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", "a2")
    later = carried_out(engine, ADD, "a2", outcome=Outcome("there"), iconik_ms=CLICKED + 1)
    carried_out(engine, a_click("remove", formats=("PROXY",)), "a1")
    assert held(engine, "asset_id", "format_name", "until_ms", "size") == [
        ("a1", "ORIGINAL", CLICKED + DAY, 300),
        ("a2", "ORIGINAL", CLICKED + DAY + 1, 300),
        ("a2", "PROXY", CLICKED + DAY + 1, 300),
    ]
    due = Due(engine, a_term(engine))
    assert (due.any_asset(), due.is_any(CLICKED + DAY - 1)) == ("a1", False)
    protect(engine, "a2", 5)
    (click,) = due.record(CIPHER, CLICKED + DAY + 1)
    assert click.asset_ids == ("a1",)
    due.advance(5, 5)
    (click,) = due.record(CIPHER, CLICKED + DAY + 1)
    assert (click.asset_ids, click.formats) == (("a2",), ("ORIGINAL", "PROXY"))
    with writing(engine) as connection:
        mine = holdings.c.number == later.number
        kept = sa.update(holdings).where(mine, holdings.c.format_name == "PROXY")
        connection.execute(kept.values(attempts=0, attempt_id=None, until_ms=None))
    (claimed,) = claims_of(engine, newest(engine, 1)[0]).take(9, 0)
    assert (claimed.formats, set(claimed.due)) == (("ORIGINAL",), {"ORIGINAL"})


def test_what_has_left_lucidlink_is_noticed(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", "a2", iconik_ms=None)
    Due(engine, a_term(engine)).advance(CLICKED, CLICKED)
    checks = Holdings(engine, a_term(engine))
    seen = checks.to_check(CLICKED, 9)
    checks.note_checked(seen[:2], seen[2:], CLICKED)
    assert held(engine, "asset_id", "format_name", "checked_ms", "until_ms") == [
        ("a1", "ORIGINAL", CLICKED, CLICKED + DAY),
        ("a1", "PROXY", CLICKED, CLICKED + DAY),
    ]


def test_what_is_about_to_be_purged_is_found_and_its_undo_recorded(engine: sa.Engine) -> None:
    operation, now = expanded(engine, a_click("remove"), ["a1"]), now_ms()
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(9, now)
    claimed.progress = AssetProgress(marked={"set-1": Deletion("ORIGINAL", accepted_ms=now)})
    claims.note(claimed, "done", {"ORIGINAL": Outcome("removed")})
    claims.open_window(UndoWindow(now, now + DAY, is_about=False))
    leftovers = Leftovers(engine, a_term(engine))
    assert leftovers.about_to_be_purged(now, now + DAY - 1) == []
    ((remove, asset),) = leftovers.about_to_be_purged(now, now + DAY)
    for _ in range(2):
        leftovers.record_undo(CIPHER, remove, {asset.asset_id: {"ORIGINAL"}})
    (undo, _) = newest(engine, 9)
    assert (undo.action, undo.origin_of, undo.formats) == ("undo", remove.id, ("ORIGINAL",))
