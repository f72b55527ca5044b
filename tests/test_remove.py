"""What Remove does with one asset, in front of an iconik in memory."""

import pytest
import sqlalchemy as sa

import deletion
from claims import Claims
from deletion import Ways
from entries import Held, Memo
from errors import IconikError, IconikRefused, IconikUnavailable, NotPermitted, TokenRejected
from outcomes import Outcome
from records import File, Format
from remove import look_to_remove, note_purge
from sight import Look, Patience
from tests.makers import (
    ASSET,
    B2,
    LL,
    ORIGINAL,
    FakeIconik,
    a_click,
    a_file,
    a_format,
    a_ledger,
    a_term,
    clicked,
    expanded,
    on_b2,
    on_ll,
)

LL_SET = f"set-{LL}-{ORIGINAL}"
DELETION = [("delete_file_set", ASSET, LL_SET), ("purge_file_set", ASSET, LL_SET)]
NOW = 1_000_000
SETTLE = 60_000
FORMATS = ("ORIGINAL", "PROXY")
OLD = "format-old"
OLD_SET = f"set-{LL}-{OLD}"
BOTH_VERSIONS = [
    Format(OLD, "ORIGINAL", "2026-01-01"),
    Format(ORIGINAL, "ORIGINAL", "2026-02-01"),
]
OLD_FILES = {"format_id": OLD, "directory_path": "old"}
MARKED = {"file_set_status": "DELETED"}
PROXY = {"format_id": "format-proxy", "directory_path": "proxies"}


@pytest.fixture
def claims(engine: sa.Engine) -> Claims:
    """Those of a Remove of one asset's ORIGINAL and PROXY, with nobody else about."""
    operation = expanded(engine, a_click("remove", formats=FORMATS))
    return Claims(engine, operation, a_term(engine))


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def held(claims: Claims) -> Held:
    (held,) = claims.take(1, NOW)
    return held


def look(iconik: FakeIconik, held: Held, claims: Claims, now: int = NOW) -> Look:
    """Look, and purge what it only marked."""
    ways = Ways()
    found = look_to_remove(iconik, held, claims, ways, (LL, B2), Patience(now, SETTLE))
    if found.marked:
        marked = dict.fromkeys(found.marked, held.asset_id)
        note_purge(held, found, deletion.purge(iconik, ways, marked, found.until))
    return found


def deletions(iconik: FakeIconik) -> list[tuple[str, ...]]:
    return iconik.called("delete_file_set", "purge_file_set")


def unfinished(file_set_id: str) -> str:
    """What is told of a file set whose purge was refused."""
    return (
        f"its deletion was not finished: file set {file_set_id} may lie in iconik's delete queue, "
        "proven safe on B2 when it was marked: restore it there, or purge it if nobody has edited "
        "it since"
    )


def stored_memo(engine: sa.Engine) -> Memo:
    """What a process that takes over would find."""
    ((_, memo, _),) = a_ledger(engine).outcomes(1)
    return memo


# Decisions


def test_what_is_proven_safe_is_deleted_by_its_id_and_purged(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    assert look(iconik, held, claims).outcomes["ORIGINAL"] == Outcome("removed")
    assert deletions(iconik) == DELETION
    assert held.memo == Memo()


def test_a_format_that_the_asset_lacks_is_told(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    assert look(iconik, held, claims).outcomes["PROXY"] == Outcome("without")


def test_a_format_that_is_not_on_lucidlink_is_told(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_b2())
    assert look(iconik, held, claims).outcomes["ORIGINAL"] == Outcome("absent")
    assert deletions(iconik) == []


def test_an_asset_that_iconik_knows_no_more_is_told(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    gone = Outcome("vanished", "iconik knows the asset no more")
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": gone, "PROXY": gone}


def test_what_differs_from_its_master_is_kept_and_never_copied(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(size=5), on_b2())
    found = look(iconik, held, claims)
    assert found.outcomes["ORIGINAL"].kind == "kept"
    assert "differs from its master" in found.outcomes["ORIGINAL"].reason
    assert (found.copies, deletions(iconik)) == ([], [])


def test_what_is_not_on_b2_is_copied_first(iconik: FakeIconik, held: Held, claims: Claims) -> None:
    held.memo.unfinished_ms = 5
    iconik.has(on_ll())
    found = look(iconik, held, claims)
    assert (found.copies, found.outcomes.get("ORIGINAL")) == (["ORIGINAL"], None)
    assert held.memo.unfinished_ms is None


@pytest.mark.parametrize(("said", "told"), [("", ""), ("no space left", ": no space left")])
def test_what_a_copy_did_not_bring_to_b2_is_kept(
    iconik: FakeIconik, held: Held, claims: Claims, said: str, told: str
) -> None:
    held.memo.asked["ORIGINAL"] = said
    iconik.has(on_ll())
    reason = f"clip.mov has no twin on B2, though a copy to B2 was asked for and ended{told}"
    assert look(iconik, held, claims).doubts["ORIGINAL"] == Outcome("kept", reason)


def test_where_nothing_can_be_copied_no_copy_is_asked_for(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll())
    now = Patience(NOW, SETTLE)
    found = look_to_remove(iconik, held, claims, Ways(), (LL, B2), now, "B2 is read-only")
    assert found.outcomes["ORIGINAL"] == ("kept", "clip.mov has no twin on B2, and B2 is read-only")
    assert found.copies == []


def test_what_is_being_written_on_b2_is_waited_for(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2(status="OPEN"))
    found = look(iconik, held, claims)
    assert (found.is_unfinished, found.copies, deletions(iconik)) == (True, [], [])
    assert held.memo.unfinished_ms == NOW


def test_how_long_it_was_waited_is_not_forgotten(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    held.memo.unfinished_ms = NOW - 1
    iconik.has(on_ll(), on_b2(status="OPEN"))
    assert look(iconik, held, claims).is_unfinished
    assert held.memo.unfinished_ms == NOW - 1


def test_what_is_never_finished_on_b2_is_copied_once(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    held.memo.unfinished_ms = NOW - SETTLE
    iconik.has(on_ll(), on_b2(status="OPEN"))
    assert look(iconik, held, claims).copies == ["ORIGINAL"]


def test_formats_are_proven_one_by_one(iconik: FakeIconik, held: Held, claims: Claims) -> None:
    files = [on_ll(), on_b2(), on_ll(**PROXY), on_b2(**PROXY, size=5)]
    iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    outcomes = look(iconik, held, claims).outcomes
    assert {name: each.kind for name, each in outcomes.items()} == {
        "ORIGINAL": "removed",
        "PROXY": "kept",
    }
    assert deletions(iconik) == DELETION


def test_every_version_of_a_format_must_be_safe(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    old = {"format_id": "format-old", "directory_path": "old"}
    iconik.has(
        *(on_ll(), on_b2(), on_ll(**old, size=5), on_b2(**old)),
        formats=[a_format(), a_format(id="format-old")],
    )
    assert look(iconik, held, claims).outcomes["ORIGINAL"].kind == "kept"
    assert deletions(iconik) == DELETION


def test_file_set_statuses_are_asked_for_where_files_lack_them(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(file_set_status=None), on_b2(file_set_status=None))
    iconik.known_statuses[ASSET] = {LL_SET: "ACTIVE", f"set-{B2}-{ORIGINAL}": "DELETED"}
    assert look(iconik, held, claims).copies == ["ORIGINAL"]
    assert deletions(iconik) == []


# Newer clicks


def test_a_newer_click_that_nobody_has_looked_into_yet_stops_a_deletion(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: clicked(engine, a_click("add"))
    found = look(iconik, held, claims)
    assert (found.is_overtaken, deletions(iconik)) == (True, [])


def test_what_was_not_deleted_after_all_is_not_reported_as_removed(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: clicked(engine, a_click("add"))
    assert look(iconik, held, claims).outcomes == {"PROXY": Outcome("without")}


def test_a_newer_click_for_the_asset_stops_a_deletion(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: expanded(engine, a_click("add"))
    assert look(iconik, held, claims).is_overtaken
    assert deletions(iconik) == []


def test_a_newer_click_for_another_asset_is_in_nobodys_way(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: expanded(engine, a_click("add"), ["asset-2"])
    look(iconik, held, claims)
    assert deletions(iconik) == DELETION


# Deletions that were interrupted


@pytest.mark.parametrize("at", ["delete_file_set", "purge_file_set"])
def test_an_interrupted_deletion_is_remembered(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims, at: str
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems[at] = IconikUnavailable("delete", "no answer")
    with pytest.raises(IconikUnavailable):
        look(iconik, held, claims)
    begun = Memo(deleting={LL_SET: "ORIGINAL"}, versions={LL_SET: ORIGINAL})
    assert stored_memo(engine) == held.memo == begun


@pytest.mark.parametrize("statuses", [{LL_SET: "DELETED"}, {}])
def test_a_half_done_deletion_is_brought_to_its_end(
    iconik: FakeIconik, claims: Claims, statuses: dict[str, str]
) -> None:
    iconik.has(on_ll(file_set_status="DELETED"), on_b2())
    iconik.known_statuses[ASSET] = statuses
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}))
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": Outcome("removed")}
    assert deletions(iconik) == [("purge_file_set", ASSET, LL_SET)]
    assert held.memo.deleting == {}


def test_an_asset_of_which_deletions_get_on_is_given_up_no_sooner(
    iconik: FakeIconik, claims: Claims
) -> None:
    iconik.has(on_ll(file_set_status="DELETED"), on_b2())
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}, failures=9))
    look(iconik, held, claims)
    assert (held.memo.deleting, held.memo.failures) == ({}, 0)


def test_nothing_is_purged_of_an_asset_that_is_gone(iconik: FakeIconik, claims: Claims) -> None:
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}))
    gone = Outcome("vanished", "iconik knows the asset no more")
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": gone}
    assert deletions(iconik) == []


@pytest.mark.parametrize(
    ("files", "doubt"),
    [
        (
            [on_ll(size=7, file_set_status="DELETED"), on_b2()],
            "clip.mov differs from its master: 7 bytes on LucidLink, 1,000 bytes on B2",
        ),
        ([on_ll(file_set_status="DELETED")], "clip.mov has no twin on B2"),
        (
            [on_ll(file_set_status="DELETED"), on_b2(status="OPEN")],
            "clip.mov isn't finished on B2 (OPEN)",
        ),
        ([a_file("another", file_set_id=LL_SET), on_b2()], "it is no longer on LucidLink"),
        ([on_b2(status="MISSING")], "B2 no longer has its files"),
        ([on_b2(format_id="format-proxy")], "B2 no longer has its files"),
    ],
)
def test_what_is_no_longer_proven_is_not_purged(
    iconik: FakeIconik, claims: Claims, files: list[File], doubt: str
) -> None:
    iconik.has(*files)
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED"}
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}))
    reason = (
        f"{doubt}, seen after file set {LL_SET} was marked deleted, so its files were not removed: "
        "restore it from iconik's delete queue"
    )
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": Outcome("failed", reason)}
    assert deletions(iconik) == []
    assert held.memo.deleting == {LL_SET: "ORIGINAL"}


def test_a_purge_is_proven_by_the_files_of_its_own_file_set(
    iconik: FakeIconik, claims: Claims
) -> None:
    edited = on_ll(file_set_id="another-set", size=7, directory_path="elsewhere")
    iconik.has(edited, on_ll(file_set_status="DELETED"), on_b2())
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED", "another-set": "ACTIVE"}
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}))
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": Outcome("removed")}


def test_a_purge_is_right_where_iconik_lists_no_deleted_files_but_b2_has_them(
    iconik: FakeIconik, claims: Claims
) -> None:
    iconik.has(on_b2())
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED"}
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}))
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": Outcome("removed")}


def no_files_of_marked_version(iconik: FakeIconik, on_b2_still: File) -> None:
    """Have iconik list no files of the older of two versions, which was marked deleted."""
    iconik.has(on_b2_still, formats=BOTH_VERSIONS)
    iconik.known_statuses[ASSET] = {OLD_SET: "DELETED"}


def test_another_version_on_b2_is_no_ground_for_a_purge(iconik: FakeIconik, claims: Claims) -> None:
    no_files_of_marked_version(iconik, on_b2())
    held = Held(ASSET, (), Memo(deleting={OLD_SET: "ORIGINAL"}, versions={OLD_SET: OLD}))
    kind, reason = look(iconik, held, claims).outcomes["ORIGINAL"]
    assert (kind, deletions(iconik)) == ("failed", [])
    assert reason.startswith("B2 no longer has its files, seen after")


def test_the_same_version_on_b2_is_ground_for_a_purge(iconik: FakeIconik, claims: Claims) -> None:
    no_files_of_marked_version(iconik, on_b2(**OLD_FILES))
    held = Held(ASSET, (), Memo(deleting={OLD_SET: "ORIGINAL"}, versions={OLD_SET: OLD}))
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": Outcome("removed")}
    assert held.memo == Memo()


def test_what_an_older_memo_does_not_tell_apart_is_not_purged(
    iconik: FakeIconik, claims: Claims
) -> None:
    no_files_of_marked_version(iconik, on_b2(**OLD_FILES))
    held = Held(ASSET, (), Memo(deleting={OLD_SET: "ORIGINAL"}))
    kind, reason = look(iconik, held, claims).outcomes["ORIGINAL"]
    assert (kind, deletions(iconik)) == ("failed", [])
    assert reason.startswith("iconik no longer tells of which version it is, seen after")


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED", "None"])
def test_what_is_not_deleted_is_never_purged_without_a_new_proof(
    iconik: FakeIconik, claims: Claims, status: str
) -> None:
    iconik.has(on_ll(file_set_status=status), on_b2())
    iconik.known_statuses[ASSET] = {LL_SET: status}
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}, versions={LL_SET: ORIGINAL}))
    assert look(iconik, held, claims).outcomes == {}
    assert (deletions(iconik), held.memo) == ([], Memo())


def test_a_deletion_that_never_began_is_proven_anew(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    held.memo.deleting[LL_SET] = "ORIGINAL"
    iconik.known_statuses[ASSET] = {LL_SET: "ACTIVE"}
    iconik.has(on_ll(), on_b2(status="MISSING"))
    assert look(iconik, held, claims).copies == ["ORIGINAL"]
    assert deletions(iconik) == []


def test_what_was_removed_before_the_interruption_counts_as_removed(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    held.memo.deleting[LL_SET] = "ORIGINAL"
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED"}
    iconik.has(on_ll(file_set_status="DELETED"), on_b2())
    assert look(iconik, held, claims).outcomes["ORIGINAL"] == Outcome("removed")


def test_a_deletion_that_was_brought_to_its_end_is_noted_before_anything_else_is_done(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    held.memo.deleting[LL_SET] = "ORIGINAL"
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED"}
    iconik.has(on_ll(file_set_status="DELETED"), on_b2())
    away = {"formats": IconikUnavailable("list the formats", "no answer")}
    iconik.before["purge_file_set"] = lambda: iconik.problems.update(away)
    with pytest.raises(IconikUnavailable):
        look(iconik, held, claims)
    ((_, memo, outcomes),) = a_ledger(engine).outcomes(1)
    assert (memo.deleting, outcomes) == ({}, {"ORIGINAL": Outcome("removed")})


# Deletions that can't be finished, of an asset with two versions

EDITED = (
    "clip.mov differs from its master: 7 bytes on LucidLink, 1,000 bytes on B2, seen after file "
    f"set {OLD_SET} was marked deleted, so its files were not removed: restore it from iconik's "
    "delete queue"
)


def edited_after_its_mark(iconik: FakeIconik, held: Held, *others: File) -> None:
    """Have the older of two versions edited after it was marked deleted."""
    files = [on_ll(**OLD_FILES, **MARKED, size=7), on_b2(**OLD_FILES)]
    iconik.has(*files, *others, formats=BOTH_VERSIONS)
    iconik.known_statuses[ASSET] = {OLD_SET: "DELETED"}
    held.memo.deleting[OLD_SET] = "ORIGINAL"


@pytest.mark.parametrize(
    "others",
    [
        [on_ll(), on_b2()],
        [on_ll(size=5), on_b2()],
        [on_ll()],
        [on_ll(), on_b2(status="OPEN")],
        [on_b2()],
    ],
    ids=["removed", "kept", "copied first", "waited for", "absent"],
)
def test_a_deletion_that_can_not_be_finished_is_told_whatever_becomes_of_another_version(
    iconik: FakeIconik, held: Held, claims: Claims, others: list[File]
) -> None:
    edited_after_its_mark(iconik, held, *others)
    assert look(iconik, held, claims).outcomes["ORIGINAL"] == Outcome("failed", EDITED)
    assert OLD_SET in held.memo.deleting


def test_a_deletion_that_can_not_be_finished_is_told_though_another_version_is_doubted(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    edited_after_its_mark(iconik, held, on_ll())
    held.memo.asked["ORIGINAL"] = ""
    assert look(iconik, held, claims).doubts == {"ORIGINAL": Outcome("failed", EDITED)}


def test_a_deletion_that_can_not_be_finished_is_told_though_a_newer_click_comes_in_between(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    edited_after_its_mark(iconik, held, on_ll(), on_b2())
    iconik.before["files"] = lambda: clicked(engine, a_click("add"))
    found = look(iconik, held, claims)
    assert (found.is_overtaken, found.outcomes["ORIGINAL"].reason) == (True, EDITED)


@pytest.mark.parametrize("order", [(OLD_SET, LL_SET), (LL_SET, OLD_SET)])
def test_a_deletion_that_can_not_be_finished_is_told_where_that_of_another_version_is(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims, order: tuple[str, str]
) -> None:
    edited_after_its_mark(iconik, held, on_ll(**MARKED), on_b2())
    iconik.known_statuses[ASSET][LL_SET] = "DELETED"
    held.memo.deleting = dict.fromkeys(order, "ORIGINAL")
    assert look(iconik, held, claims).outcomes["ORIGINAL"] == Outcome("failed", EDITED)
    assert deletions(iconik) == [("purge_file_set", ASSET, LL_SET)]
    assert held.memo.deleting == stored_memo(engine).deleting == {OLD_SET: "ORIGINAL"}


def test_each_deletion_that_can_not_be_finished_is_told(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    edited_after_its_mark(iconik, held, on_ll(**MARKED))
    iconik.known_statuses[ASSET][LL_SET] = "DELETED"
    held.memo.deleting[LL_SET] = "ORIGINAL"
    kind, reason = look(iconik, held, claims).outcomes["ORIGINAL"]
    assert (kind, reason.startswith(EDITED)) == ("failed", True)
    assert f"clip.mov has no twin on B2, seen after file set {LL_SET}" in reason


def test_a_deletion_that_can_not_be_finished_is_told_by_each_later_look(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    edited_after_its_mark(iconik, held, on_ll(), on_b2(status="OPEN"))
    claims.note(held, "settling", look(iconik, held, claims).outcomes)
    edited_after_its_mark(iconik, held, on_ll(), on_b2())
    (held,) = claims.take(1, NOW)
    claims.note(held, "done", look(iconik, held, claims).outcomes)
    ((_, memo, outcomes),) = a_ledger(engine).outcomes(1)
    assert (memo.deleting, outcomes["ORIGINAL"]) == ({OLD_SET: "ORIGINAL"}, ("failed", EDITED))


def test_a_deletion_that_can_be_finished_after_all_is_no_failure_any_more(
    engine: sa.Engine, iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    edited_after_its_mark(iconik, held)
    claims.note(held, "settling", look(iconik, held, claims).outcomes)
    iconik.has(on_ll(**OLD_FILES, **MARKED), on_b2(**OLD_FILES), formats=BOTH_VERSIONS)
    (held,) = claims.take(1, NOW)
    claims.note(held, "done", look(iconik, held, claims).outcomes)
    ((_, memo, outcomes),) = a_ledger(engine).outcomes(1)
    assert (memo.deleting, outcomes["ORIGINAL"]) == ({}, ("removed", ""))


def test_what_was_restored_just_now_and_proven_anew_is_no_failure(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    edited_after_its_mark(iconik, held)
    restored = [on_ll(**OLD_FILES), on_b2(**OLD_FILES)]

    def after_this_reading() -> None:
        iconik.before["files"] = lambda: iconik.has(*restored, formats=BOTH_VERSIONS)

    iconik.before["files"] = after_this_reading
    assert look(iconik, held, claims).outcomes["ORIGINAL"] == Outcome("removed")
    assert held.memo.deleting == {}


def test_a_refused_purge_is_told_beside_a_deletion_that_can_not_be_finished(
    iconik: FakeIconik, held: Held, claims: Claims
) -> None:
    edited_after_its_mark(iconik, held, on_ll(), on_b2())
    iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    reason = f"{EDITED}; could not purge it: no (409); {unfinished(LL_SET)}"
    assert look(iconik, held, claims).outcomes["ORIGINAL"] == Outcome("failed", reason)


# Refusals


@pytest.mark.parametrize(
    ("at", "told", "remembered"),
    [
        ("delete_file_set", "", {}),
        ("purge_file_set", f"; {unfinished(LL_SET)}", {LL_SET: "ORIGINAL"}),
    ],
)
def test_a_refused_deletion_is_told_of_the_format_that_it_was_about(
    iconik: FakeIconik, held: Held, claims: Claims, at: str, told: str, remembered: dict[str, str]
) -> None:
    iconik.has(on_ll(), on_b2(), formats=[a_format(), a_format("PROXY")])
    iconik.problems[at] = NotPermitted("delete it", "it needs can_delete_files")
    assert look(iconik, held, claims).outcomes == {
        "ORIGINAL": Outcome("failed", f"could not delete it: it needs can_delete_files{told}"),
        "PROXY": Outcome("absent"),
    }
    assert (held.memo.deleting, list(held.memo.versions)) == (remembered, list(remembered))


def test_a_refused_purge_of_a_half_done_deletion_is_told(
    iconik: FakeIconik, claims: Claims
) -> None:
    iconik.has(on_ll(file_set_status="DELETED"), on_b2())
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED"}
    iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    held = Held(ASSET, (), Memo(deleting={LL_SET: "ORIGINAL"}))
    failed = Outcome("failed", f"could not purge it: no (409); {unfinished(LL_SET)}")
    assert look(iconik, held, claims).outcomes == {"ORIGINAL": failed}


@pytest.mark.parametrize("at", ["delete_file_set", "purge_file_set"])
def test_a_rejected_token_ends_everything_and_what_was_begun_is_remembered(
    iconik: FakeIconik, held: Held, claims: Claims, at: str
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems[at] = TokenRejected("delete it", "no token is good (401)")
    with pytest.raises(TokenRejected):
        look(iconik, held, claims)
    assert held.memo.deleting == {LL_SET: "ORIGINAL"}


@pytest.mark.parametrize("at", ["formats", "files"])
def test_nothing_is_deleted_where_iconik_gives_no_answer(
    iconik: FakeIconik, held: Held, claims: Claims, at: str
) -> None:
    problem: IconikError = IconikUnavailable("look", "no answer")
    iconik.has(on_ll(), on_b2())
    iconik.problems[at] = problem
    with pytest.raises(IconikUnavailable):
        look(iconik, held, claims)
    assert deletions(iconik) == []
