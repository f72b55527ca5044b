"""The job that shows an operation in iconik's own jobs list, and can be aborted there.

It is a courtesy. Requests are rare and are not repeated, and their failures neither stop nor delay
the operation.
"""

import logging
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from b2_iconik.common.clock import Step, now_ms
from b2_iconik.common.links import today
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import report
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation import job_texts
from b2_iconik.operation.together import Together
from iconik import Iconik
from iconik_http.errors import (
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotPermitted,
    TokenRejected,
)
from iconik_http.records import Job

log = logging.getLogger(__name__)

# In seconds. iconik's listings may not show a new job yet.
LISTING_LAG = 60.0
# iconik's clock may differ from ours.
CLOCK_LEEWAY_MS = 600_000
ABORTED = frozenset({"ABORT_PENDING", "ABORTED"})
BY = "a user who aborted the job in iconik"

# Seconds. Small operations have ended by then, so that one request shows how.
SHOWN_AFTER = 2.0
# Seconds; the shortest and the longest time between two requests while an operation runs.
INTERVAL = 5.0
LONGEST_INTERVAL = 15.0
# While iconik gives no usable answer.
LONGEST_OUTAGE_INTERVAL = 60.0
# For so long after the job was created, it isn't updated only because its message has changed.
SETTLED_AFTER = 60.0
TIMEOUT = 10.0
# How long to try to report the end of an operation.
FAREWELL = 300.0
FIRST_FAREWELL_INTERVAL = 1.0

# Makes a link to the page of an operation; see ``Links.to``.
LinkTo = Callable[[str, int], str | None]
# How long to make no requests for a user whose token lacks the role.
REFUSED = 600.0


class OperationJob:
    """The job of one operation.

    The ledger stores its id, and before that, that a job was requested. If iconik's answer is lost,
    or this process ends before it stores the id, the job is found by the operation's id in its
    metadata. If iconik takes longer than a minute to list the job, a second one is made, and the
    first stays in the list unchanged. Only this can leave a stray job.

    Attributes:
        has_ended: the operation has ended.
        is_told: the job shows how it ended.
    """

    def __init__(
        self,
        operation_id: str,
        click: CustomAction,
        ledger: Ledger,
        iconik: Iconik,
        together: Together[Job],
        link_to: LinkTo = lambda *_: None,
    ) -> None:
        self._id = operation_id
        self._click = click
        self._ledger = ledger
        self._iconik = iconik
        self._together = together
        self._link_to = link_to
        self._job_id: str | None = None
        # The previous process may have made the job already.
        self._asked = time.monotonic()
        self._told: job_texts.Fields = {}
        self._names: dict[str, str] = {}
        self._some: list[str] = []
        self.has_ended = False
        self.is_told = False

    def tell(self) -> float | None:
        """Update the job, and stop the operation if somebody has aborted the job.

        Returns:
            The seconds until the next update; None if there was nothing to update.

        Raises:
            NotFound: somebody has removed the job from the list.
            IconikError: iconik gave no usable answer, or refused.
        """
        operation = self._ledger.operation(self._id)
        if operation is None:
            raise NotFound(f"show operation {self._id}", "the operation is no longer stored")
        self.has_ended = operation.ended_ms is not None
        fields = self._fields(operation)
        if fields["title"] != operation.title:
            # Kept, so that operations can be shown without iconik.
            self._ledger.note_title(operation.number, fields["title"])
        self._job_id = self._job_id or self._find(operation)
        if self._job_id is None:
            return self._make(operation, fields)
        news = {name: value for name, value in fields.items() if self._told.get(name) != value}
        if news.keys() == {"message"} and time.monotonic() - self._asked < SETTLED_AFTER:
            fields, news = {**fields, "message": self._told["message"]}, {}
        job = self._iconik.update_job(self._job_id, news) if news else self._read(self._job_id)
        if job is None:
            raise NotFound(f"look at job {self._job_id}", "no such job in iconik")
        self._note(fields)
        if job.status in ABORTED and operation.stop_ms is None:
            self._ledger.ask_to_stop(self._id, BY, now_ms())
        return INTERVAL if news else None

    def _read(self, job_id: str) -> Job | None:
        # Lists may not show a new job yet.
        listed = self._together.ask([job_id], self._iconik.jobs).get(job_id)
        return listed or self._iconik.job(job_id)

    def _find(self, operation: Operation) -> str | None:
        """The job in the ledger, or one that an unanswered request made; None if there is none."""
        if operation.job_id != "":
            return operation.job_id
        since_ms = operation.recorded_ms - CLOCK_LEEWAY_MS
        found = self._iconik.job_with_metadata(job_texts.OPERATION, self._id, since_ms)
        if found:
            self._ledger.note_job(operation.number, found)
        return found

    def _make(self, operation: Operation, fields: job_texts.Fields) -> float | None:
        """Create the job, unless iconik may have created it already; see ``tell``."""
        if operation.job_id == "" and time.monotonic() - self._asked < LISTING_LAG:
            return None
        self._ledger.note_job(operation.number, "")
        self._asked = time.monotonic()
        named = {"type": "CUSTOM", "metadata": {job_texts.OPERATION: self._id}}
        self._job_id = self._iconik.create_job({"status": "STARTED", **fields, **named}).id
        self._ledger.note_job(operation.number, self._job_id)
        self._note(fields)
        # Most operations have ended by then, so that the next update is the last.
        return LONGEST_INTERVAL

    def _note(self, fields: job_texts.Fields) -> None:
        self._told = fields
        self.is_told = "status" in fields

    def _fields(self, operation: Operation) -> job_texts.Fields:
        """All fields that the job should have now."""
        states = self._ledger.progress(operation.number)
        total = sum(states.values()) if operation.is_expanded else None
        selected = self._click.collection_ids + self._click.asset_ids
        if not selected and operation.is_expanded:
            selected = self._found(operation)
        some = selected[: job_texts.MOST_NAMED]
        for each, title in self._ledger.titles(operation.number, some).items():
            # Stored titles are escaped for display; iconik must get the exact one.
            if "\\" not in title:
                self._names[each] = title
        names = [self._name(each) for each in some]
        names = [each for each in names if each]
        whole = len(self._click.collection_ids + self._click.asset_ids) or total or 0
        # It must not change with every update.
        link = self._link_to(self._id, operation.ended_ms or today(now_ms()))
        told = self._how_it_ended(operation) or job_texts.under_way(operation, states)
        return {
            "title": job_texts.title(self._click, total, names, whole - len(names)),
            **job_texts.tie(self._click, selected),
            **job_texts.linked(told, link),
        }

    def _how_it_ended(self, operation: Operation) -> job_texts.Fields | None:
        if operation.ended_ms is None:
            return None
        outcomes = self._ledger.outcomes(operation.number)
        return job_texts.ended(report(operation, outcomes, self._ledger.gone(operation.number)))

    def _found(self, operation: Operation) -> tuple[str, ...]:
        """Some of the assets of a saved search or a playlist."""
        self._some = self._some or self._ledger.some_assets(operation.number, job_texts.MOST_TIED)
        return tuple(self._some)

    def _name(self, object_id: str) -> str:
        """The title of a collection or an asset, requested once; "" if iconik refuses it.

        Listings have usually shown those of assets.
        """
        if object_id not in self._names:
            is_collection = object_id in self._click.collection_ids
            # Not with the application's token: the user may not be allowed to see the object.
            iconik = self._iconik.limited(lambda: False)
            ask = iconik.collection_title if is_collection else iconik.asset_title
            try:
                self._names[object_id] = ask(object_id)
            except TokenRejected:
                raise
            except IconikRefused:
                self._names[object_id] = ""
        return self._names[object_id]


class Shown:
    """Makes the steps that show operations in iconik; see ``leader.Show``.

    Args:
        connect: returns an ``Iconik``; see ``Operations.iconik``.
        link_to: makes a link to an operation's page.
    """

    def __init__(self, connect: Callable[..., Iconik], link_to: LinkTo = lambda *_: None) -> None:
        self._connect = connect
        self._link_to = link_to
        # The requests to read jobs, by token and term, for as long as a step uses them.
        self._together = WeakValueDictionary[tuple[str, int], Together[Job]]()
        # By user: when their token was found to lack the role.
        self._refused: dict[str | None, float] = {}

    def __call__(
        self, operation_id: str, click: CustomAction, leadership: Leadership
    ) -> Step | None:
        """The steps that show an operation; None if its user lacks the role for that."""
        refused = self._refused.get(click.user_id)
        if refused is not None and time.monotonic() - refused < REFUSED:
            return None
        iconik = self._connect(click.auth_token, leadership, timeout=TIMEOUT, attempts=1)
        ledger = Ledger(leadership.engine, leadership.term)
        key = (click.auth_token, leadership.term)
        together = self._together.setdefault(key, Together())
        job = OperationJob(operation_id, click, ledger, iconik, together, self._link_to)
        pause, farewell, is_new = INTERVAL, 0.0, True

        def step() -> float | None:
            nonlocal pause, farewell, is_new
            if is_new:
                is_new = False
                return SHOWN_AFTER
            try:
                pause = job.tell() or min(pause * 1.5, LONGEST_INTERVAL)
            except IconikUnavailable as error:
                log.debug("the update of iconik's jobs list is postponed: %s", error)
                pause = min(pause * 2, LONGEST_OUTAGE_INTERVAL)
            except NotFound:
                # Somebody removed it from the list.
                return None
            except NotPermitted as error:
                self._refuse(click, error)
                return None
            except IconikRefused as error:
                log.warning("the operation's job in iconik is no longer updated: %s", error)
                return None
            if job.has_ended and not farewell:
                pause, farewell = FIRST_FAREWELL_INTERVAL, time.monotonic() + FAREWELL
            if job.is_told:
                return None
            if farewell and time.monotonic() > farewell:
                log.warning("the end of the operation could not be shown in iconik's jobs list")
                return None
            return pause

        return step

    def _refuse(self, click: CustomAction, error: NotPermitted) -> None:
        if not self._refused:
            log.warning("operations are not shown in iconik's jobs list: %s", error)
        self._refused[click.user_id] = time.monotonic()
