"""iconik's records of jobs and custom actions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simulator.clock import CLOCK
from simulator.records import SYSTEM_DOMAIN_ID, USER_ID, Json, iso, new_id

FINAL = frozenset(
    {"FINISHED", "FINISHED_WITH_WARNING", "FAILED", "ABORTED", "SKIPPED", "DISCARDED"}
)


@dataclass(slots=True, eq=False)
class Job:
    """An entry of iconik's jobs list. ``given`` holds the fields that its creator set."""

    given: Json
    parent: Job | None = None
    children: list[Job] = field(default_factory=list)
    children_by_status: Counter[str] = field(default_factory=Counter)
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=CLOCK.now)
    modified: float = field(default_factory=CLOCK.now)

    @property
    def status(self) -> str:
        """One of iconik's job statuses."""
        return str(self.given["status"])

    def json(self) -> Json:
        """Return the job as JobSchema."""
        shown = {
            "id": self.id,
            "parent_id": self.parent.id if self.parent else None,
            "created_by": USER_ID,
            "priority": 5,
            "date_created": iso(self.created),
            "date_modified": iso(self.modified),
            "has_children": bool(self.children),
            "progress": self._progress(),
            **self.given,
        }
        if self.children:
            shown["children_progress"] = dict(self.children_by_status)
        return shown

    def _progress(self) -> int:
        if self.status in FINAL:
            return 100
        if self.children:
            ended = sum(n for status, n in self.children_by_status.items() if status in FINAL)
            return 100 * ended // len(self.children)
        total = self.given.get("progress_total") or 0
        return (
            min(100, 100 * int(self.given.get("progress_processed") or 0) // total) if total else 0
        )


@dataclass(slots=True, eq=False)
class CustomAction:
    """An entry of iconik's menu. ``given`` holds the posted fields."""

    given: Json
    status: str = "HEALTHY"
    last_error: str = ""
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=CLOCK.now)
    modified: float = field(default_factory=CLOCK.now)

    def json(self) -> Json:
        """Return the custom action as CustomActionSchema."""
        return {
            **self.given,
            "id": self.id,
            "status": self.status,
            "last_error": self.last_error,
            "system_domain_id": SYSTEM_DOMAIN_ID,
            "date_created": iso(self.created),
            "date_modified": iso(self.modified),
        }
