"""The job that shows an operation in iconik's own jobs list, and can be aborted there.

It is a courtesy. Requests are rare and are not repeated, and their failures neither stop nor delay
the operation.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import NamedTuple

from b2_iconik.common.clock import now_ms
from b2_iconik.common.links import today
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import report
from b2_iconik.domain.problems import affected
from b2_iconik.ledger.operations import Ledger
from b2_iconik.operation import job_texts
from b2_iconik.operation.naming import UNANSWERED, Subject, Subjects
from b2_iconik.operation.together import Together
from iconik import Iconik
from iconik_http.errors import (
    IconikError,
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
# The application, in place of a user.
APPLICATION = "application"
BY = "a user who aborted the job in iconik"

# Seconds; the shortest and the longest time between two requests while an operation runs.
INTERVAL = 5.0
LONGEST_INTERVAL = 15.0
# For so long after the job was created, it isn't updated only because its message has changed.
SETTLED_AFTER = 60.0

# Makes a link to the page of an operation; see ``Links.to``.
LinkTo = Callable[[str, int], str | None]


class Owner(NamedTuple):
    """Whose token shows an operation: that of the user who clicked, or the application's.

    Attributes:
        user_id: the user; ``APPLICATION`` for the application.
        together: joins its requests to read jobs with those of other operations.
    """

    user_id: str | None
    iconik: Iconik
    together: Together[Job]


class OperationJob:
    """The job of one operation, and the names that the operation is shown with.

    The ledger stores its id, and before that, that a job was requested. If iconik's answer is lost,
    or this process ends before it stores the id, the job is found by the operation's id in its
    metadata. If iconik takes longer than a minute to list the job, a second one is made, and the
    first stays in the list unchanged. Only this can leave a stray job.

    Args:
        owners: whose tokens may show it, in order. Without any, the operation only gets its names.
        refuse: called when a token turns out not to be permitted to.
        subjects: names what was selected.
        name_of: returns the name of a user, as in ``UserNames.find``.

    Attributes:
        has_ended: the operation has ended.
        is_told: the job shows how it ended, if there is one.
    """

    def __init__(
        self,
        operation_id: str,
        click: CustomAction,
        ledger: Ledger,
        owners: Sequence[Owner],
        refuse: Callable[[Owner, IconikError], object],
        subjects: Subjects,
        name_of: Callable[[str], str | None],
        link_to: LinkTo = lambda *_: None,
    ) -> None:
        self._id = operation_id
        self._click = click
        self._ledger = ledger
        self._owners = list(owners)
        self._refuse = refuse
        self._subjects = subjects
        self._name_of = name_of
        self._link_to = link_to
        self._job_id: str | None = None
        # The previous process may have made the job already.
        self._asked = time.monotonic()
        self._told: job_texts.Fields = {}
        self._selected: list[Subject] | None = None
        # Until then, no name is requested, because iconik gave no usable answer.
        self._unnamed_until = 0.0
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
        operation = self.name_user()
        self.has_ended = operation.ended_ms is not None
        fields = self._fields(operation)
        if fields["title"] != operation.title:
            # Kept, so that operations can be shown without iconik.
            self._ledger.note_title(operation.number, fields["title"])
        while self._owners:
            owner = self._owners[0]
            try:
                return self._tell_as(owner, operation, fields)
            except (NotPermitted, TokenRejected) as error:
                if isinstance(error, TokenRejected) and owner.user_id != APPLICATION:
                    raise
                self._refuse(self._owners.pop(0), error)
        self.is_told = self.has_ended
        return None

    def _tell_as(
        self, owner: Owner, operation: Operation, fields: job_texts.Fields
    ) -> float | None:
        self._job_id = self._job_id or self._find(owner, operation)
        if self._job_id is None:
            return self._make(owner, operation, fields)
        news = {name: value for name, value in fields.items() if self._told.get(name) != value}
        if news.keys() == {"message"} and time.monotonic() - self._asked < SETTLED_AFTER:
            fields, news = {**fields, "message": self._told["message"]}, {}
        update = owner.iconik.update_job
        job = update(self._job_id, news) if news else self._read(owner, self._job_id)
        if job is None:
            raise NotFound(f"look at job {self._job_id}", "no such job in iconik")
        self._note(fields)
        if job.status in ABORTED and operation.stop_ms is None:
            self._ledger.ask_to_stop(self._id, BY, now_ms())
        return INTERVAL if news else None

    def name_user(self) -> Operation:
        """Record the name of the user who clicked, if it can be known now.

        Raises:
            NotFound: the operation is no longer stored.
        """
        operation = self._ledger.operation(self._id)
        if operation is None:
            raise NotFound(f"show operation {self._id}", "the operation is no longer stored")
        if operation.user_id and operation.user_name is None:
            name = self._name_of(operation.user_id)
            if name is not None:
                self._ledger.note_user(operation.user_id, name)
        return operation

    @staticmethod
    def _read(owner: Owner, job_id: str) -> Job | None:
        # Lists may not show a new job yet.
        listed = owner.together.ask([job_id], owner.iconik.jobs).get(job_id)
        return listed or owner.iconik.job(job_id)

    def _find(self, owner: Owner, operation: Operation) -> str | None:
        """The job in the ledger, or one that an unanswered request made; None if there is none."""
        if operation.job_id != "":
            return operation.job_id
        since_ms = operation.recorded_ms - CLOCK_LEEWAY_MS
        found = owner.iconik.job_with_metadata(job_texts.OPERATION, self._id, since_ms)
        if found:
            self._ledger.note_job(operation.number, found)
        return found

    def _make(self, owner: Owner, operation: Operation, fields: job_texts.Fields) -> float | None:
        """Create the job, unless iconik may have created it already; see ``tell``."""
        if operation.job_id == "" and time.monotonic() - self._asked < LISTING_LAG:
            return None
        self._ledger.note_job(operation.number, "")
        self._asked = time.monotonic()
        named = {"type": "CUSTOM", "metadata": {job_texts.OPERATION: self._id}}
        try:
            job = owner.iconik.create_job({"status": "STARTED", **fields, **named})
        except NotPermitted:
            # There is none, so another owner need not look for it.
            self._ledger.note_job(operation.number, operation.job_id)
            raise
        self._job_id = job.id
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
        names, whole = self._names_of_selection(operation), len(self._click.subjects)
        linked = self._click.collection_ids + self._click.asset_ids
        if not linked and operation.is_expanded:
            linked = self._found(operation)
            if not names:
                some = [("asset", each) for each in linked]
                subjects = self._subjects_of(operation, some) or []
                names = [each.name for each in subjects if each.name]
                whole = total or 0
        # It must not change with every update.
        link = self._link_to(self._id, operation.ended_ms or today(now_ms()))
        told = self._how_it_ended(operation) or job_texts.under_way(operation, states)
        return {
            "title": job_texts.title(self._click, total, names, whole - len(names)),
            **job_texts.tie(self._click, linked),
            **job_texts.linked(told, link),
        }

    def _names_of_selection(self, operation: Operation) -> list[str]:
        """The names of what was selected, or of some of it. They are stored once they are known."""
        stored = (operation.names or {}).get("subjects")
        if self._selected is None and stored is not None:
            self._selected = [Subject(**each) for each in stored]
        if self._selected is None:
            self._selected = self._subjects_of(operation, self._click.subjects)
            if self._selected is not None:
                subjects = [asdict(each) for each in self._selected]
                self._ledger.note_names(operation.number, subjects=subjects)
        # Not those of the ledger, which are escaped for display.
        return [each.name for each in self._selected or () if each.name]

    def _subjects_of(
        self, operation: Operation, objects: Sequence[tuple[str, str]]
    ) -> list[Subject] | None:
        """The first of some objects by name. Listings have usually shown those of assets.

        None if iconik gave no usable answer lately: the operation is then shown without names.
        """
        if time.monotonic() < self._unnamed_until:
            return None
        some = objects[: job_texts.MOST_NAMED]
        titles = self._ledger.titles(operation.number, [object_id for _, object_id in some])
        # Stored titles are escaped for display; iconik must get the exact one.
        exact = {each: title for each, title in titles.items() if "\\" not in title}
        try:
            return [self._subjects.find(*each, exact.get(each[1], "")) for each in some]
        except IconikUnavailable as error:
            log.debug("the operation is shown without names for a while: %s", error)
            self._unnamed_until = time.monotonic() + UNANSWERED
            return None

    def _how_it_ended(self, operation: Operation) -> job_texts.Fields | None:
        if operation.ended_ms is None:
            return None
        number, ledger = operation.number, self._ledger
        told = report(operation, ledger.outcomes(number), ledger.gone(number))
        titles = ledger.titles(number, affected(told["problems"]))
        return job_texts.ended(operation, told, titles)

    def _found(self, operation: Operation) -> tuple[str, ...]:
        """Some of the assets of a saved search or a playlist."""
        self._some = self._some or self._ledger.some_assets(operation.number, job_texts.MOST_TIED)
        return tuple(self._some)
