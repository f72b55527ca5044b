"""Who protects an asset, and who lifts that, with a line in the audit log."""

import json
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common import logs
from b2_iconik.common.errors import ProtectionError
from b2_iconik.dispatch.protect import lift, protect
from b2_iconik.ledger import protections
from b2_iconik.ledger.protections import Protection
from tests.makers import a_click, claims_of, expanded, half_done

pytestmark = pytest.mark.usefixtures("own_loggers")

NOW = 1_000_000
# The last moment of 31 December 2026.
PROTECTION = Protection("a1", "Beach", NOW, 1_798_804_800_000, "Ada")


def stored(engine: sa.Engine) -> dict[str, Protection]:
    with engine.connect() as connection:
        return protections.of(connection, "a1")


class Log:
    """What is logged; at this level, only audit lines are."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        logs.configure("CRITICAL", "json")
        self._capsys = capsys

    def lines(self) -> list[dict[str, Any]]:
        """The lines since the last call."""
        return [json.loads(line) for line in self._capsys.readouterr().err.splitlines()]


def test_an_asset_is_protected(engine: sa.Engine) -> None:
    assert protect(engine, PROTECTION) is False
    assert stored(engine) == {"a1": PROTECTION}


@pytest.mark.parametrize("later_ms", [0, 1])
def test_a_protection_is_prolonged_by_anybody(engine: sa.Engine, later_ms: int) -> None:
    protect(engine, PROTECTION)
    longer = replace(PROTECTION, until_ms=PROTECTION.until_ms + later_ms, by="Ben")
    protect(engine, longer)
    assert stored(engine) == {"a1": longer}


def test_a_protection_is_not_shortened(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(capsys)
    protect(engine, PROTECTION)
    log.lines()
    shorter = replace(PROTECTION, until_ms=PROTECTION.until_ms - 1, by="Ben")
    with pytest.raises(ProtectionError) as caught:
        protect(engine, shorter)
    assert str(caught.value) == (
        "the asset is protected by Ada until 2026-12-31; to set an earlier day, lift that "
        "protection first"
    )
    assert (stored(engine), log.lines()) == ({"a1": PROTECTION}, [])


def test_a_person_who_protects_an_asset_is_told_that_a_deletion_has_begun(
    engine: sa.Engine,
) -> None:
    operation = expanded(engine, a_click("remove"), ["a1"])
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    assert protect(engine, PROTECTION) is True


def test_a_lifted_protection_is_gone(engine: sa.Engine) -> None:
    protect(engine, PROTECTION)
    assert lift(engine, "a1", "the cut is locked", "Ben") == PROTECTION
    assert stored(engine) == {}


def test_what_is_not_protected_can_not_be_lifted(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(capsys)
    with pytest.raises(ProtectionError, match="the asset is not protected, or its protection has"):
        lift(engine, "a1", "the cut is locked", "Ben")
    assert log.lines() == []


def test_the_audit_log_says_who_protected_what_until_when(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(capsys)
    protect(engine, PROTECTION)
    (line,) = log.lines()
    assert line["message"] == "audit: protected asset a1 (Beach) until 2026-12-31, by Ada"
    told = {name: line[name] for name in ("logger", "event", "asset_id", "asset")}
    assert told == {"logger": "audit", "event": "protected", "asset_id": "a1", "asset": "Beach"}
    assert (line["protected_by"], line["until"]) == ("Ada", "2026-12-31")


def test_the_audit_log_says_who_lifted_whose_protection_and_why(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(capsys)
    protect(engine, replace(PROTECTION, title=""))
    log.lines()
    lift(engine, "a1", "the cut is locked", "Ben")
    (line,) = log.lines()
    assert line["message"] == (
        "audit: lifted the protection of asset a1 by Ada until 2026-12-31, by Ben: the cut is "
        "locked"
    )
    told = {name: line[name] for name in ("event", "asset_id", "asset", "protected_by", "until")}
    assert told == {
        "event": "protection lifted",
        "asset_id": "a1",
        "asset": None,
        "protected_by": "Ada",
        "until": "2026-12-31",
    }
    assert (line["lifted_by"], line["reason"]) == ("Ben", "the cut is locked")
