"""The message about the end of an operation: what people need to know, and to do."""

from dataclasses import replace
from typing import Any

import pytest

from b2_iconik.common.receivers import Message
from b2_iconik.domain.advice import REMEDIES
from b2_iconik.domain.operation import Operation, Origin
from b2_iconik.domain.outcomes import Outcome, report
from b2_iconik.domain.problems import affected
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.report import notification

USER = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e"
LINK = "https://plugin.example.com/operations/1?link=2"
NOT_BEGUN = AssetProgress()
ENDED = Operation(
    number=1,
    id="11111111-1111-4111-8111-111111111111",
    action="remove",
    b2_storage_id="b2",
    ll_storage_id="ll",
    formats=("ORIGINAL",),
    selection="12 assets",
    user_id=USER,
    key="key",
    is_expanded=True,
    recorded_ms=1_000_000,
    ended_ms=1_185_000,
    failure=None,
    title="Remove from LucidLink: 2 assets (beach, pier)",
)
DIFFERS = Outcome("kept", Reason("beach.mov differs from its master", Cause.DIFFERS))
TITLES = {"a1": "beach", "a2": "pier", "a3": "market", "a4": "boat"}


def about(
    outcomes: dict[str, Outcome],
    operation: Operation = ENDED,
    gone: dict[str, str] | None = None,
    link: str | None = LINK,
    **more: Any,
) -> Message:
    """The message about an operation with one outcome for each asset."""
    assets = [(each, NOT_BEGUN, {"ORIGINAL": one}) for each, one in outcomes.items()]
    told = {**report(operation, assets, gone or {}), **more}
    named = affected(told["problems"])
    titles = {each: TITLES[each] for each in named if each in TITLES}
    return notification.message(operation, told, titles, link)


def test_a_message_says_what_was_done_why_not_and_what_to_do() -> None:
    said = about(
        {"a1": DIFFERS, "a2": Outcome("removed")}, replace(ENDED, origin=Origin("o1", "Ada"))
    )
    assert said.title == "Remove from LucidLink: 2 assets (beach, pier): partly done"
    assert said.body.splitlines() == [
        "Requested by Ada, took 3 min 5 s.",
        "2 assets, 1 removed, 1 kept on LucidLink.",
        "Kept on LucidLink: beach: beach.mov differs from its master",
        f"What to do: {REMEDIES[Cause.DIFFERS]}",
        f"Report: {LINK}",
    ]
    assert said.kind == "warning"


def test_a_message_shows_no_id() -> None:
    said = about({"a5": DIFFERS}, gone={f"collection {USER}": "it is gone"})
    shown = f"{said.title}\n{said.body}".replace(LINK, "")
    assert "untitled asset" in shown
    assert "Failed: a collection: it is gone" in shown
    assert [each for each in ("a5", USER, ENDED.id) if each in shown] == []


def test_assets_with_one_cause_are_one_problem() -> None:
    said = about(dict.fromkeys(("a1", "a2", "a3", "a4", "a5"), DIFFERS))
    kept = "Kept on LucidLink: beach, pier, market and 2 more: for example, beach.mov differs"
    assert kept in said.body
    assert said.body.count("What to do:") == 1


def test_an_asset_is_named_once_for_several_formats() -> None:
    both = {"ORIGINAL": DIFFERS, "PPRO_PROXY": DIFFERS}
    told = report(ENDED, [("a1", NOT_BEGUN, both)], {})
    assert affected(told["problems"]) == ["a1"]


@pytest.mark.parametrize(("number", "more"), [(4, "1 more cause:"), (5, "2 more causes:")])
def test_of_many_causes_the_first_are_told(number: int, more: str) -> None:
    causes = list(REMEDIES)[:number]
    said = about({f"a{n}": Outcome("kept", Reason("so", each)) for n, each in enumerate(causes)})
    assert said.body.count("What to do:") == 3
    assert f"{more} see the report." in said.body


def test_the_failure_of_the_whole_operation_comes_with_what_to_do() -> None:
    failure = Reason("iconik rejects the token", Cause.TOKEN_REJECTED)
    said = about({}, replace(ENDED, failure=failure))
    assert (said.kind, said.title.endswith(": failed")) == ("failure", True)
    assert "The operation failed: iconik rejects the token\n" in said.body
    assert REMEDIES[Cause.TOKEN_REJECTED] in said.body


def test_a_stopped_operation_says_who_stopped_it() -> None:
    stopped = replace(ENDED, stop_ms=1_100_000, stop_by="Ben on the operations page")
    said = about({"a1": Outcome("removed")}, replace(stopped, is_expanded=False))
    assert (said.kind, "Stopped by Ben on the operations page." in said.body) == ("info", True)


def test_a_success_is_told_as_one() -> None:
    said = about({"a1": Outcome("removed")}, link=None)
    assert (said.kind, said.body) == ("success", "Took 3 min 5 s.\n1 asset, 1 removed.")


def test_bytes_are_told() -> None:
    said = about({"a1": Outcome("removed", size=1_234_567_890)}, link=None)
    assert said.body.splitlines()[2:] == ["1.23 GB freed."]


def test_a_long_title_and_a_long_reason_are_cut() -> None:
    said = about(
        {"a1": Outcome("kept", Reason("so " * 10_000))}, replace(ENDED, title="pier " * 10_000)
    )
    assert len(said.title) < 300
    assert len(said.body) < 1_000
    assert said.body.endswith(LINK)
