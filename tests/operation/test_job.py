"""The job that shows one operation: found or made, told how it stands, and aborted."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.common.links import today
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.operations import Ledger
from b2_iconik.operation import job as job_module
from b2_iconik.operation import naming
from b2_iconik.operation.job import APPLICATION, BY, LinkTo, OperationJob, Owner
from b2_iconik.operation.naming import Paths, Subjects
from b2_iconik.operation.together import Together
from iconik_http.errors import IconikUnavailable, NotFound, NotPermitted, TokenRejected
from iconik_http.records import Job
from tests.makers import FakeIconik, a_click, a_ledger, a_term, clicked, completion, found

pytestmark = pytest.mark.usefixtures("opened_later")

ASSETS = ("asset-1", "asset-2")
CLICK = a_click("remove", asset_ids=ASSETS)
NOW = 1_000_000
NOT_PERMITTED = NotPermitted("show it", "it needs can_write_jobs")
AWAY = IconikUnavailable("show it", "iconik answered 503")


class Desk:
    """An operation, its ledger and an iconik."""

    def __init__(self, engine: sa.Engine, click: CustomAction = CLICK) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        self.iconik.titles = {"asset-1": "beach", "asset-2": "pier", "collection-1": "Rushes"}
        self.id = clicked(engine, click, NOW).id
        self.ledger = a_ledger(engine)
        self.click = click
        self.owners: list[str | None] = ["ada"]
        self.refused: list[str | None] = []
        self.names: dict[str, str | None] = {}

    def job(self, link_to: LinkTo = lambda *_: None) -> OperationJob:
        """Its job, as a process that has just begun knows it."""
        return OperationJob(
            self.id,
            self.click,
            self.ledger,
            [Owner(user_id, self.iconik, Together()) for user_id in self.owners],
            lambda owner, error: self.refused.append(owner.user_id),
            Subjects(self.click, self.iconik, Paths()),
            lambda user_id: self.names.get(user_id),
            link_to,
        )

    def expand(self, *asset_ids: str) -> None:
        self.ledger.expand(found(self.engine, self.id).number, dict.fromkeys(asset_ids), {})

    def conclude(self, number: int, outcome: Outcome) -> None:
        claims = Claims(self.engine, found(self.engine, self.id), a_term(self.engine))
        for claimed in claims.take(number, NOW):
            claims.note(claimed, "done", {"ORIGINAL": outcome})

    def end(self) -> None:
        assert completion(self.engine).end(found(self.engine, self.id), NOW)

    def remove_all(self) -> None:
        """Do all that the operation does."""
        self.expand(*ASSETS)
        self.conclude(2, Outcome("removed"))
        self.end()

    @property
    def shown(self) -> dict[str, Any]:
        """The only job in iconik's list."""
        (job,) = self.iconik.own_jobs.values()
        return job

    def updates(self) -> list[dict[str, Any]]:
        return [call[2] for call in self.iconik.called("update_job")]


@pytest.fixture
def desk(engine: sa.Engine) -> Desk:
    return Desk(engine)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that a job goes by, in seconds."""
    now = [0.0]
    monkeypatch.setattr("b2_iconik.operation.job.time.monotonic", lambda: now[0])
    return now


def test_the_job_is_made_with_all_that_is_known(desk: Desk) -> None:
    assert desk.job().tell()
    assert desk.shown == {
        "type": "CUSTOM",
        "status": "STARTED",
        "title": "Remove from LucidLink: 2 assets (beach, pier)",
        "message": "listing the assets of the selection: 2 assets",
        "related_objects": [
            {"object_id": "asset-1", "object_type": "assets"},
            {"object_id": "asset-2", "object_type": "assets"},
        ],
        "metadata": {"operation_id": desk.id},
    }


def test_the_job_has_a_link_while_the_operation_runs_and_at_its_end(desk: Desk) -> None:
    def link_to(operation_id: str, since_ms: int) -> str:
        return f"https://plugin.example.com/operations/{operation_id}?link={since_ms}"

    job = desk.job(link_to)
    job.tell()
    since_ms = today(now_ms())
    assert desk.shown["message"] == (
        "listing the assets of the selection: 2 assets. Report: "
        f"https://plugin.example.com/operations/{desk.id}?link={since_ms}"
    )
    desk.remove_all()
    job.tell()
    assert desk.shown["message"] == (
        f"2 assets, 2 removed. Report: https://plugin.example.com/operations/{desk.id}?link={NOW}"
    )


def test_from_click_to_end_it_takes_one_request_each_time_and_a_title_for_each_name(
    desk: Desk,
) -> None:
    job = desk.job()
    job.tell()
    desk.expand(*ASSETS)
    desk.conclude(1, Outcome("removed"))
    job.tell()
    desk.conclude(1, Outcome("removed"))
    desk.end()
    job.tell()
    assert [call[0] for call in desk.iconik.calls] == [
        "asset_title", "asset_title", "create_job", "update_job", "update_job",
    ]  # fmt: skip
    assert desk.updates() == [
        {"progress_total": 2, "progress_processed": 1, "message": "1 of 2 assets done"},
        {"status": "FINISHED", "progress_processed": 2, "message": "2 assets, 2 removed"},
    ]
    assert job.is_told


def test_while_it_runs_no_update_says_that_it_does(desk: Desk) -> None:
    job = desk.job()
    job.tell()
    desk.expand(*ASSETS)
    job.tell()
    # It would undo what somebody has aborted.
    assert "status" not in desk.updates()[0]


def test_an_operation_that_has_ended_already_is_shown_as_that_at_once(desk: Desk) -> None:
    desk.expand(*ASSETS)
    desk.conclude(2, Outcome("kept", Reason("clip.mov differs")))
    desk.end()
    job = desk.job()
    assert job.tell()
    assert desk.shown["status"] == "FAILED"
    assert desk.shown["error_message"].startswith(
        "Kept on LucidLink: untitled asset and 1 more: for example, clip.mov differs. What to do: "
    )
    assert job.is_told


def test_without_news_it_is_only_looked_at(desk: Desk) -> None:
    job = desk.job()
    job.tell()
    assert not job.tell()
    assert desk.iconik.called("update_job", "job") == [("job", "job-1")]


@pytest.mark.parametrize(("status", "stop_by"), [("STARTED", None), ("ABORTED", BY)])
def test_a_job_that_iconik_lists_is_not_read_by_itself_and_if_aborted_stops_the_operation(
    desk: Desk, status: str, stop_by: str | None
) -> None:
    job = desk.job()
    job.tell()
    desk.iconik.known_jobs["job-1"] = Job("job-1", status)
    job.tell()
    assert desk.iconik.called("jobs", "job") == [("jobs", ["job-1"])]
    assert found(desk.engine, desk.id).stop_by == stop_by


# A message alone

MESSAGE = "0 of 2 assets done, 1 being copied"


def with_a_new_message(desk: Desk) -> OperationJob:
    """A job that was just made; a copy has begun since."""
    desk.expand(*ASSETS)
    job = desk.job()
    job.tell()
    claims = Claims(desk.engine, found(desk.engine, desk.id), a_term(desk.engine))
    claims.copies.begin(claims.take(1, NOW), {"copy-1": "ORIGINAL"}, NOW)
    return job


def test_a_new_job_is_only_looked_at_where_nothing_but_its_message_is_new(
    desk: Desk, now: list[float]
) -> None:
    job = with_a_new_message(desk)
    now[0] = job_module.SETTLED_AFTER - 1
    assert not job.tell()
    assert desk.updates() == []
    assert desk.iconik.called("jobs") == [("jobs", ["job-1"])]


def test_a_message_that_was_held_back_is_told_once_a_minute_has_passed(
    desk: Desk, now: list[float]
) -> None:
    job = with_a_new_message(desk)
    now[0] = job_module.SETTLED_AFTER - 1
    job.tell()
    now[0] = job_module.SETTLED_AFTER
    job.tell()
    assert desk.updates() == [{"message": MESSAGE}]


def test_a_new_job_is_updated_at_once_where_more_than_its_message_is_new(
    desk: Desk, now: list[float]
) -> None:
    job = with_a_new_message(desk)
    desk.conclude(1, Outcome("removed"))
    job.tell()
    message = "1 of 2 assets done, 1 being copied"
    assert desk.updates() == [{"progress_processed": 1, "message": message}]


# Names


def shown_by_a_listing(desk: Desk, title: str) -> None:
    """Have a listing show the assets, the first with this title, and the job name both."""
    number = found(desk.engine, desk.id).number
    desk.ledger.expand(number, {"asset-1": Hint(title), "asset-2": Hint("pier")}, {})
    desk.job().tell()
    assert desk.shown["title"] == "Remove from LucidLink: 2 assets (beach, pier)"


def test_titles_that_a_listing_has_shown_are_not_asked_for(desk: Desk) -> None:
    shown_by_a_listing(desk, "beach")
    assert not desk.iconik.called("asset_title")


@pytest.mark.parametrize(
    "title", ["", "be\nach", "be\\ach"], ids=["not shown", "a line break", "a backslash"]
)
def test_a_title_that_a_listing_has_not_shown_as_it_is_is_asked_for(desk: Desk, title: str) -> None:
    shown_by_a_listing(desk, title)
    assert desk.iconik.called("asset_title") == [("asset_title", "asset-1")]


def test_an_odd_title_stays_as_it_is_with_every_update(desk: Desk, now: list[float]) -> None:
    desk.iconik.titles["asset-1"] = "Abu \u200fDhabi"
    job = desk.job()
    job.tell()
    first = desk.shown["title"]
    now[0] += 100
    desk.expand(*ASSETS)
    job.tell()
    assert desk.shown["title"] == first


def test_a_title_that_iconik_does_not_say_is_left_out(desk: Desk) -> None:
    del desk.iconik.titles["asset-1"]
    job = desk.job()
    job.tell()
    desk.expand(*ASSETS)
    job.tell()
    assert desk.shown["title"] == "Remove from LucidLink: 2 assets (pier and 1 more)"
    assert len(desk.iconik.called("asset_title")) == 2


def test_a_title_that_iconik_could_not_say_holds_up_no_job_and_is_asked_for_later(
    desk: Desk, now: list[float]
) -> None:
    desk.iconik.problems["asset_title"] = AWAY
    job = desk.job()
    for _ in range(3):
        job.tell()
    assert desk.shown["title"] == "Remove from LucidLink: 2 assets"
    assert len(desk.iconik.called("asset_title")) == 1
    desk.iconik.problems.clear()
    now[0] += naming.UNANSWERED
    job.tell()
    assert desk.shown["title"] == "Remove from LucidLink: 2 assets (beach, pier)"


def test_a_title_of_what_was_found_that_iconik_could_not_say_holds_up_no_job(
    engine: sa.Engine,
) -> None:
    desk = Desk(engine, a_click("add", saved_search_ids=("search-1",)))
    desk.expand(*ASSETS)
    desk.iconik.problems["asset_title"] = AWAY
    desk.job().tell()
    assert desk.shown["title"] == "Add to LucidLink: 2 assets"


def test_without_a_good_token_no_title_is_asked_for(desk: Desk) -> None:
    desk.iconik.problems["asset_title"] = TokenRejected("read asset", "no token is good")
    with pytest.raises(TokenRejected):
        desk.job().tell()


def test_the_title_is_kept_with_the_operation_though_the_job_may_not_be_made(desk: Desk) -> None:
    desk.iconik.problems["create_job"] = NOT_PERMITTED
    desk.job().tell()
    title = "Remove from LucidLink: 2 assets (beach, pier)"
    assert found(desk.engine, desk.id).title == title


def test_the_title_is_written_down_only_when_it_changes(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted, note_title = [], Ledger.note_title

    def note(ledger: Ledger, number: int, title: str) -> None:
        noted.append(title)
        note_title(ledger, number, title)

    monkeypatch.setattr(Ledger, "note_title", note)
    desk = Desk(engine, a_click("add", collection_ids=("collection-1",)))
    job = desk.job()
    job.tell()
    job.tell()
    desk.expand("asset-1")
    job.tell()
    assert noted == [
        "Add to LucidLink: 1 collection (Rushes)",
        "Add to LucidLink: 1 asset (Rushes)",
    ]


def test_a_collection_is_named_and_its_assets_counted_once_they_are_known(
    engine: sa.Engine,
) -> None:
    desk = Desk(engine, a_click("add", collection_ids=("collection-1",)))
    job = desk.job()
    job.tell()
    assert desk.shown["title"] == "Add to LucidLink: 1 collection (Rushes)"
    assert desk.shown["object_type"] == "collections"
    desk.expand("asset-1", "asset-2", "asset-3")
    job.tell()
    assert desk.shown["title"] == "Add to LucidLink: 3 assets (Rushes)"


def test_of_a_saved_search_what_it_found_is_named_and_tied(engine: sa.Engine) -> None:
    desk = Desk(engine, a_click("add", saved_search_ids=("search-1",)))
    desk.iconik.titles |= {f"asset-{n}": f"clip {n}" for n in range(1, 6)}
    job = desk.job()
    job.tell()
    assert desk.shown["title"] == "Add to LucidLink: 1 saved search"
    desk.expand(*(f"asset-{n}" for n in range(1, 6)))
    job.tell()
    job.tell()
    assert desk.shown["title"] == "Add to LucidLink: 5 assets (clip 1, clip 2, clip 3 and 2 more)"
    assert len(desk.shown["related_objects"]) == 5


# The same job, whatever happens


def test_another_process_goes_on_with_the_same_job(desk: Desk) -> None:
    desk.job().tell()
    desk.expand(*ASSETS)
    desk.job().tell()
    assert desk.shown["progress_total"] == 2
    assert len(desk.iconik.called("create_job")) == 1
    assert not desk.iconik.called("job_with_metadata")


def test_a_job_whose_making_was_not_answered_is_found_again(desk: Desk) -> None:
    job = desk.job()
    job.tell()
    # iconik has made it, and the answer was lost.
    desk.ledger.note_job(found(desk.engine, desk.id).number, "")
    desk.expand(*ASSETS)
    assert desk.job().tell()
    assert len(desk.iconik.own_jobs) == 1
    assert desk.shown["progress_total"] == 2
    ((_, name, value, since_ms),) = desk.iconik.called("job_with_metadata")
    assert (name, value) == ("operation_id", desk.id)
    assert since_ms == NOW - job_module.CLOCK_LEEWAY_MS
    desk.job().tell()
    assert len(desk.iconik.called("job_with_metadata")) == 1


def test_a_job_that_is_not_listed_yet_is_waited_for_before_another_is_made(
    desk: Desk, now: list[float]
) -> None:
    desk.iconik.problems["create_job"] = AWAY
    job = desk.job()
    with pytest.raises(IconikUnavailable):
        job.tell()
    desk.iconik.problems.clear()
    now[0] = job_module.LISTING_LAG - 1
    assert not job.tell()
    assert not desk.job().tell()
    now[0] = job_module.LISTING_LAG
    assert job.tell()
    assert len(desk.iconik.own_jobs) == 1


def test_a_job_that_somebody_took_off_the_list_is_not_made_again(desk: Desk) -> None:
    job = desk.job()
    job.tell()
    desk.iconik.unlisted_jobs.clear()
    with pytest.raises(NotFound):
        job.tell()
    desk.iconik.problems["update_job"] = NotFound("update", "gone")
    with pytest.raises(NotFound):
        desk.job().tell()
    assert len(desk.iconik.called("create_job")) == 1


def test_an_operation_that_is_forgotten_has_no_job(desk: Desk) -> None:
    job = desk.job()
    job.tell()
    completion(desk.engine).forget([desk.id])
    with pytest.raises(NotFound):
        job.tell()


# Users without the role


def test_a_job_that_the_user_may_not_make_is_made_by_the_application(desk: Desk) -> None:
    desk.owners = ["ada", APPLICATION]
    desk.iconik.problems["create_job"] = NOT_PERMITTED
    job = desk.job()
    desk.iconik.before["create_job"] = lambda: desk.iconik.before.update(
        create_job=desk.iconik.problems.clear
    )
    job.tell()
    assert desk.shown["status"] == "STARTED"
    assert desk.refused == ["ada"]


def test_a_job_that_nobody_may_make_is_not_tried_again(desk: Desk) -> None:
    desk.owners = ["ada", APPLICATION]
    desk.iconik.problems["create_job"] = NOT_PERMITTED
    job = desk.job()
    job.tell()
    job.tell()
    assert desk.refused == ["ada", APPLICATION]
    assert len(desk.iconik.called("create_job")) == 2


def test_an_application_without_a_token_makes_no_job(desk: Desk) -> None:
    desk.owners = [APPLICATION]
    desk.iconik.problems["create_job"] = TokenRejected("show it", "there is no token")
    assert desk.job().tell() is None
    assert desk.refused == [APPLICATION]


def test_a_user_whose_token_has_expired_is_not_without_the_role(desk: Desk) -> None:
    desk.iconik.problems["create_job"] = TokenRejected("show it", "no token is good")
    with pytest.raises(TokenRejected):
        desk.job().tell()
    assert desk.refused == []


def test_a_job_that_was_refused_does_not_exist(desk: Desk) -> None:
    desk.iconik.problems["create_job"] = NOT_PERMITTED
    desk.job().tell()
    assert found(desk.engine, desk.id).job_id is None


def test_without_a_job_the_end_of_the_operation_is_all_there_is_to_tell(desk: Desk) -> None:
    desk.owners = []
    job = desk.job()
    job.tell()
    assert not job.is_told
    desk.remove_all()
    job.tell()
    assert job.is_told
    assert not desk.iconik.called("create_job")


# The user


@pytest.fixture
def anas(engine: sa.Engine) -> Desk:
    """An operation that Ana clicked."""
    return Desk(engine, replace(CLICK, user_id="ana"))


@pytest.mark.parametrize("name", ["Ana Ruiz", ""], ids=["known", "not to be read"])
def test_the_name_of_the_user_is_kept_with_the_operation(anas: Desk, name: str) -> None:
    anas.names = {"ana": name}
    anas.job().name_user()
    assert found(anas.engine, anas.id).user_name == name


def test_a_name_that_is_not_known_yet_is_found_later(anas: Desk) -> None:
    job = anas.job()
    job.tell()
    assert found(anas.engine, anas.id).user_name is None
    anas.names = {"ana": "Ana Ruiz"}
    job.tell()
    assert found(anas.engine, anas.id).user_name == "Ana Ruiz"


def test_a_name_that_is_known_is_not_looked_for_again(anas: Desk) -> None:
    anas.names = {"ana": "Ana Ruiz"}
    job = anas.job()
    job.name_user()
    anas.names = {"ana": "Somebody Else"}
    job.name_user()
    assert found(anas.engine, anas.id).user_name == "Ana Ruiz"


def test_the_user_is_named_though_the_job_cannot_be_made(anas: Desk) -> None:
    anas.names = {"ana": "Ana Ruiz"}
    anas.iconik.problems["create_job"] = AWAY
    with pytest.raises(IconikUnavailable):
        anas.job().tell()
    assert found(anas.engine, anas.id).user_name == "Ana Ruiz"


# What was selected


def subjects(desk: Desk) -> list[Any]:
    names = found(desk.engine, desk.id).names
    return names["subjects"] if names else []


def test_what_was_selected_is_kept_by_name(engine: sa.Engine) -> None:
    desk = Desk(engine, a_click("add", collection_ids=("collection-1",), asset_ids=("asset-1",)))
    desk.iconik.titles["top"] = "Projects"
    desk.iconik.parents = {"collection-1": "top"}
    desk.job().tell()
    collection = {"kind": "collection", "id": "collection-1", "name": "Rushes"}
    assert subjects(desk) == [
        {**collection, "path": "Projects / Rushes"},
        {"kind": "asset", "id": "asset-1", "name": "beach", "path": None},
    ]


def test_of_many_selected_objects_only_the_first_are_named(engine: sa.Engine) -> None:
    desk = Desk(engine, a_click("add", collection_ids=tuple(f"c{n}" for n in range(9))))
    desk.job().tell()
    assert len(subjects(desk)) == 3
    assert len(desk.iconik.called("collection")) == 3


def test_a_saved_search_with_a_name_is_named_in_the_title(engine: sa.Engine) -> None:
    desk = Desk(engine, a_click("add", saved_search_ids=("search-1",)))
    desk.iconik.titles["search-1"] = "Best takes"
    job = desk.job()
    job.tell()
    desk.expand("asset-1", "asset-2")
    job.tell()
    assert desk.shown["title"] == "Add to LucidLink: 2 assets (Best takes)"


def test_another_process_asks_for_no_name_again(engine: sa.Engine) -> None:
    desk = Desk(engine, a_click("add", collection_ids=("collection-1",)))
    desk.job().tell()
    desk.iconik.calls.clear()
    desk.job().tell()
    assert not desk.iconik.called("collection")
    assert desk.shown["title"] == "Add to LucidLink: 1 collection (Rushes)"


# Aborting


@pytest.mark.parametrize("status", ["ABORT_PENDING", "ABORTED"])
def test_who_aborts_the_job_stops_the_operation(
    desk: Desk, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.expand(*ASSETS)
    job = desk.job()
    job.tell()
    assert found(desk.engine, desk.id).stop_ms is None
    desk.iconik.own_jobs["job-1"]["status"] = status
    desk.iconik.unlisted_jobs["job-1"] = Job("job-1", status)
    job.tell()
    assert found(desk.engine, desk.id).stop_by == BY
    # Once is enough.
    monkeypatch.delattr(Ledger, "ask_to_stop")
    job.tell()


def test_a_stopped_operation_ends_its_job_as_aborted(desk: Desk) -> None:
    desk.expand(*ASSETS)
    desk.conclude(1, Outcome("removed"))
    job = desk.job()
    job.tell()
    desk.ledger.ask_to_stop(desk.id, "Ada", NOW)
    operation = found(desk.engine, desk.id)
    Claims(desk.engine, operation, a_term(desk.engine)).leave()
    desk.end()
    job.tell()
    assert desk.shown["status"] == "ABORTED"
    assert desk.shown["message"] == "Stopped by Ada. 2 assets, 1 removed, 1 not finished"
