"""What people do with what is on LucidLink."""

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import HoldingsError
from b2_iconik.dispatch import lucidlink
from b2_iconik.dispatch.lucidlink import TOLERANCE_MS, Done, Key, keep_until, look_again, remove_now
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.operation import Origin
from b2_iconik.ledger.tables import holdings, operations
from b2_iconik.ledger.totals import DAY_MS
from tests.makers import B2, CLICKED, LL, a_click, a_ledger, claims_of, clicked, found, hold

BEACH, PIER = ((LL, each, "ORIGINAL") for each in ("beach", "pier"))
PROXY = (LL, "beach", "PROXY")
LATER = CLICKED + 3 * DAY_MS
BY = "ada on the LucidLink page"


def row(engine: sa.Engine, key: Key) -> sa.Row[tuple[object, ...]]:
    """A holding as it stands now."""
    place = (holdings.c.ll_storage_id, holdings.c.asset_id, holdings.c.format_name)
    where = [column == value for column, value in zip(place, key, strict=True)]
    with engine.connect() as connection:
        return connection.execute(sa.select(holdings).where(*where)).one()


def recorded(engine: sa.Engine) -> int:
    """The number of operations."""
    with engine.connect() as connection:
        counted = sa.select(sa.func.count()).select_from(operations)
        return int(connection.execute(counted).scalar_one())


# Remove now


def test_a_removal_is_recorded_for_exactly_what_was_chosen(
    engine: sa.Engine, recorder: Recorder
) -> None:
    hold(engine, "beach", "ORIGINAL", "PROXY")
    hold(engine, "pier", "ORIGINAL", "PROXY")
    done = remove_now(recorder, [BEACH, PIER], BY)
    (operation_id,) = done.operation_ids
    assert done == Done(assets=2, operation_ids=(operation_id,))
    click = recorder.click_of(operation_id)
    assert click == a_click("remove", context="BULK", asset_ids=("beach", "pier"))
    operation = found(engine, operation_id)
    assert operation.origin == Origin(None, BY, "page")
    assert operation.user_id is None


def test_there_is_a_removal_for_each_set_of_formats_and_pair_of_storages(
    engine: sa.Engine, recorder: Recorder
) -> None:
    hold(engine, "beach", "ORIGINAL", "PROXY")
    hold(engine, "pier")
    hold(engine, "market")
    hold(engine, "dune", b2_storage_id="another-b2")
    hold(engine, "pier", ll_storage_id="another-ll")
    chosen = [BEACH, PROXY, PIER, (LL, "market", "ORIGINAL"), (LL, "dune", "ORIGINAL"),
              ("another-ll", "pier", "ORIGINAL")]  # fmt: skip
    done = remove_now(recorder, chosen, BY)
    clicks = [recorder.click_of(each) for each in done.operation_ids]
    told = {(e.b2_storage_id, e.ll_storage_id, e.formats, e.asset_ids) for e in clicks}
    assert told == {
        (B2, LL, ("ORIGINAL", "PROXY"), ("beach",)),
        (B2, LL, ("ORIGINAL",), ("market", "pier")),
        ("another-b2", LL, ("ORIGINAL",), ("dune",)),
        (B2, "another-ll", ("ORIGINAL",), ("pier",)),
    }
    assert len(done.operation_ids) == 4
    assert done.assets == 5


def test_a_removal_says_what_is_gone_already(engine: sa.Engine, recorder: Recorder) -> None:
    hold(engine, "beach")
    done = remove_now(recorder, [BEACH, PIER], BY)
    assert (done.assets, done.gone) == (1, 1)


def test_of_what_is_gone_nothing_is_removed(engine: sa.Engine, recorder: Recorder) -> None:
    hold(engine, "beach", "PROXY")
    with pytest.raises(HoldingsError, match=r"^Nothing that you selected is still on LucidLink"):
        remove_now(recorder, [BEACH], BY)
    assert recorded(engine) == 0


def test_what_changes_meanwhile_is_not_removed(
    engine: sa.Engine, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(engine, "beach")
    hold(engine, "pier")
    record_all = recorder.record_all

    def after_a_change(*given: object) -> object:
        with engine.begin() as connection:
            connection.execute(sa.delete(holdings).where(holdings.c.asset_id == "pier"))
        return record_all(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "record_all", after_a_change)
    with pytest.raises(HoldingsError, match=r"^The selected assets have just changed"):
        remove_now(recorder, [BEACH, PIER], BY)
    assert recorded(engine) == 0


def test_a_removal_that_is_requested_twice_is_one_operation(
    engine: sa.Engine, recorder: Recorder, opened_later: None
) -> None:
    hold(engine, "beach")
    first = remove_now(recorder, [BEACH], BY)
    assert remove_now(recorder, [BEACH], BY).operation_ids == first.operation_ids


def test_the_log_says_who_removes(
    engine: sa.Engine, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    hold(engine, "beach")
    caplog.set_level("INFO")
    (operation_id,) = remove_now(recorder, [BEACH], BY).operation_ids
    assert f"{BY} recorded operation {operation_id}" in caplog.text


# Keep longer


def test_a_new_time_begins_the_attempts_anew(engine: sa.Engine) -> None:
    tried = {"attempts": 8, "next_attempt_ms": CLICKED, "attempt_id": "operation-2"}
    hold(engine, "beach", "ORIGINAL", "PROXY", until_ms=CLICKED, keep_ms=1, **tried)
    assert keep_until(engine, [BEACH], LATER, BY) == Done(assets=1)
    changed = row(engine, BEACH)
    # For how long its user wanted it to be kept stays known.
    assert (changed.until_ms, changed.keep_ms, changed.until_by) == (LATER, 1, BY)
    assert (changed.attempts, changed.next_attempt_ms, changed.attempt_id) == (0, None, None)
    other = row(engine, PROXY)
    assert (other.until_ms, other.attempts, other.until_by) == (CLICKED, 8, None)


def test_a_time_is_only_ever_extended(engine: sa.Engine) -> None:
    hold(engine, "beach", until_ms=LATER + 1, attempts=1)
    hold(engine, "pier")
    assert keep_until(engine, [BEACH, PIER], LATER, BY) == Done(assets=1, longer=1)
    kept = row(engine, BEACH)
    assert (kept.until_ms, kept.attempts, kept.until_by) == (LATER + 1, 1, None)
    assert row(engine, PIER).until_ms == LATER


def test_a_time_that_has_not_begun_is_not_shortened(engine: sa.Engine) -> None:
    hold(engine, "beach", since_ms=0, keep_ms=14 * DAY_MS)
    hold(engine, "pier", until_ms=CLICKED)
    with pytest.raises(HoldingsError, match=r"^The time of Beach begins"):
        keep_until(engine, [BEACH, PIER], LATER, BY)
    assert (row(engine, BEACH).until_ms, row(engine, PIER).until_ms) == (None, CLICKED)


@pytest.mark.parametrize("fields", [{"keep_ms": None}, {"until_by": "Ben"}])
def test_what_has_no_time_that_could_begin_gets_one(
    engine: sa.Engine, fields: dict[str, object]
) -> None:
    hold(engine, "beach", **{"since_ms": 0, "keep_ms": 14 * DAY_MS, **fields})
    keep_until(engine, [BEACH], LATER, BY)
    assert row(engine, BEACH).until_ms == LATER


def test_where_all_is_kept_longer_nothing_changes(engine: sa.Engine) -> None:
    hold(engine, "beach", until_ms=LATER + 1)
    assert keep_until(engine, [BEACH], LATER, BY) == Done(assets=0, longer=1)


def test_without_a_time_it_stays_until_people_remove_it(engine: sa.Engine) -> None:
    hold(engine, "beach", until_ms=LATER, attempts=3)
    assert keep_until(engine, [BEACH, PIER], None, BY) == Done(assets=1, gone=1)
    changed = row(engine, BEACH)
    assert (changed.until_ms, changed.until_by, changed.attempts) == (None, BY, 0)


@pytest.mark.parametrize(
    ("until_ms", "said"),
    [(LATER, "until 1970-01-04T00:16:40+00:00"), (None, "until it is removed by hand")],
)
def test_the_log_says_who_keeps_what_until_when(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture, until_ms: int | None, said: str
) -> None:
    hold(engine, "beach", title=None)
    caplog.set_level("INFO")
    keep_until(engine, [BEACH], until_ms, BY)
    what = "ORIGINAL of an untitled asset (beach) on LucidLink"
    assert f"{BY} keeps {what} {said}" in caplog.text


def test_of_what_is_gone_nothing_is_kept(engine: sa.Engine) -> None:
    with pytest.raises(HoldingsError, match=r"^Nothing that you selected is still on LucidLink"):
        keep_until(engine, [BEACH], LATER, BY)


def refused(engine: sa.Engine) -> str:
    """Why what is kept until now can't be kept longer."""
    with pytest.raises(HoldingsError) as refusal:
        keep_until(engine, [BEACH, PIER], LATER, BY)
    assert row(engine, BEACH).until_ms == CLICKED
    return str(refusal.value)


def test_what_is_being_removed_is_not_kept_longer(engine: sa.Engine) -> None:
    hold(engine, "pier", title=None, until_ms=CLICKED)
    hold(engine, "beach", until_ms=CLICKED)
    operation = clicked(engine, a_click("remove", asset_ids=("beach",)))
    assert refused(engine).startswith("Beach is being removed now. Stop that operation, or wait")
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(1, CLICKED)
    claims.note(claimed, "done", {})
    assert keep_until(engine, [BEACH, PIER], LATER, BY) == Done(assets=2)


def test_an_asset_without_a_title_that_is_being_removed_is_untitled(engine: sa.Engine) -> None:
    hold(engine, "beach", title=None, until_ms=CLICKED)
    clicked(engine, a_click("remove", asset_ids=("beach",)))
    assert refused(engine).startswith("An untitled asset is being removed now.")


def test_a_removal_whose_assets_are_not_known_yet_is_waited_for(
    engine: sa.Engine, opened_later: None
) -> None:
    hold(engine, "beach", until_ms=CLICKED)
    operation = clicked(engine, a_click("remove", asset_ids=("another",)))
    assert refused(engine).endswith("its assets, which may be these. Try again in a minute.")
    a_ledger(engine).expand(operation.number, {"another": None}, {})
    assert keep_until(engine, [BEACH], LATER, BY) == Done(assets=1)


@pytest.mark.parametrize(
    "click",
    [
        a_click("add", asset_ids=("beach",)),
        a_click("preview", asset_ids=("beach",)),
        a_click("remove", asset_ids=("beach",), formats=("PROXY",)),
        a_click("remove", asset_ids=("beach",), ll_storage_id="another"),
    ],
    ids=["add", "preview", "another format", "another storage"],
)
def test_other_operations_do_not_matter(engine: sa.Engine, click: object) -> None:
    hold(engine, "beach", until_ms=CLICKED)
    clicked(engine, click)  # type: ignore[arg-type]
    assert keep_until(engine, [BEACH], LATER, BY) == Done(assets=1)


# Refresh


def test_a_refresh_asks_for_exactly_what_was_chosen(
    engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    hold(engine, "beach", "ORIGINAL", "PROXY", checked_ms=CLICKED)
    caplog.set_level("INFO")
    assert look_again(engine, [BEACH, PIER], BY) == Done(assets=1, gone=1)
    assert (row(engine, BEACH).checked_ms, row(engine, PROXY).checked_ms) == (0, CLICKED)
    assert f"{BY} requested a check of ORIGINAL of Beach (beach) on LucidLink" in caplog.text


# The clock


def test_without_holdings_this_machine_tells_the_time(engine: sa.Engine) -> None:
    assert lucidlink.clock_ms(engine, 5) == 5


def test_the_time_is_never_before_what_iconik_has_told(engine: sa.Engine) -> None:
    hold(engine, since_ms=CLICKED)
    assert lucidlink.clock_ms(engine, CLICKED - TOLERANCE_MS) == CLICKED
    assert lucidlink.clock_ms(engine, CLICKED + 1) == CLICKED + 1


def test_a_clock_that_is_wrong_counts_no_days(engine: sa.Engine) -> None:
    hold(engine, since_ms=CLICKED)
    with pytest.raises(HoldingsError, match="enter a date"):
        lucidlink.clock_ms(engine, CLICKED - TOLERANCE_MS - 1)
