"""What tests of operations work on: one asset that is processed, or a whole operation that runs."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Bucket, Confirmation
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import WorkerPool
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.custody import Safe
from b2_iconik.domain.outcomes import report
from b2_iconik.ledger import stop_request
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.term import Leadership, begin_term
from b2_iconik.operation import batches
from b2_iconik.operation import operations as operations_module
from b2_iconik.operation import run as run_module
from b2_iconik.operation.context import Context, Shared
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.deletion import DeletionCapabilities, purge
from b2_iconik.operation.deletion_results import note_purge
from b2_iconik.operation.execution import process_remove
from b2_iconik.operation.interrupted import resume
from b2_iconik.operation.proving import RemoveContext
from b2_iconik.operation.run import Run
from b2_iconik.operation.snapshot import Patience
from b2_iconik.operation.storages import Checked
from b2_iconik.operation.verification import Verification
from iconik_http.records import File, Job, Storage
from tests.makers import (
    ASSET,
    B2,
    FOR_EVER,
    LL,
    FakeIconik,
    Waits,
    a_click,
    a_ledger,
    a_term,
    clicked,
    expanded,
    found,
    on_b2,
    on_ll,
)

NOW = 1_000_000
SETTLE = 60_000
ADD = a_click("add", asset_ids=(ASSET,))
REMOVE = a_click("remove", asset_ids=(ASSET,))


def a_check(**fields: Any) -> Checked:
    """Two storages that can do their part, seen just now; nothing is in the delete queue."""
    b2 = Storage(B2, "Masters", "FILES", "B2", "ACTIVE", {})
    lucidlink = Storage(LL, "LucidLink", "FILES", "FILE", "ACTIVE", {})
    return Checked(b2, lucidlink, **{"deleted": frozenset(), "until": FOR_EVER, **fields})


def confirms(asset_id: str, safe: Safe) -> Confirmation:
    """Have B2 confirm whatever is asked."""
    return Confirmation("signed URL")


def a_removal(iconik: FakeIconik, claims: Claims, **fields: Any) -> RemoveContext:
    """What a Remove works with; B2 confirms whatever is asked unless told otherwise."""
    given: dict[str, Any] = {"preflight": a_check, "confirm": confirms, **fields}
    return RemoveContext(iconik, claims, DeletionCapabilities(), LL, B2, **given)


class AssetBench:
    """An asset that an operation has in hand, with nobody else about.

    Attributes:
        given: what a Remove works with besides storages that can do their part.
    """

    def __init__(self, engine: sa.Engine, click: CustomAction) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        self.claims = Claims(engine, expanded(engine, click), a_term(engine))
        (self.claimed,) = self.claims.take(1, NOW)
        self.given: dict[str, Any] = {}

    def removal(self, **fields: Any) -> RemoveContext:
        """What a Remove works with; see ``a_removal``."""
        return a_removal(self.iconik, self.claims, **{**self.given, **fields})

    def remove(self, now_ms: int = NOW, **fields: Any) -> AssetResult:
        """Process the asset as a Remove does, and purge what it only marked."""
        removal, asset = self.removal(**fields), self.claimed
        result = process_remove(removal, asset, Patience(now_ms, SETTLE))
        if not result.marked:
            return result
        marked = dict.fromkeys(result.marked, asset.asset_id)
        done = purge(self.iconik, removal.capabilities, marked, result.until)
        return note_purge(self.iconik, asset, result, done, now_ms)

    def resume(self, **fields: Any) -> AssetResult:
        """Finish or give back the deletions of the asset that were interrupted."""
        return resume(self.removal(**fields), self.claimed, NOW)

    def deletions(self) -> list[tuple[str, ...]]:
        """What iconik was asked to delete, one file set at a time."""
        return self.iconik.called("delete_file_set", "purge_file_set")


class Bench:
    """All that an operation needs.

    Attributes:
        searching: the iconik whose index is searched; the same one unless a test says otherwise.
        stopping: its waits, each of which is over at once.
        patch: replaces an attribute of something for the test.
    """

    def __init__(self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = engine
        self.term = begin_term(engine, 0)
        self.iconik = self.searching = FakeIconik()
        self.stopping = Waits()
        self.settings = Settings(iconik_id=ASSET, secret="s" * 32)
        self.patch = monkeypatch.setattr
        # Each wait is one wait, what was asked a moment ago is seen, and nobody waits for an index.
        self.patch(run_module, "STOP_INTERVAL", 3600.0)
        self.patch(stop_request, "INTERVAL", 0.0)
        self.patch(Verification, "first_due_ms", lambda _: 0)
        time = SimpleNamespace(monotonic=lambda: self.stopping.monotonic())
        self.patch(run_module, "time", time)
        self.patch(operations_module, "Iconik", lambda _: self.iconik)

    def click(self, click: CustomAction) -> str:
        return clicked(self.engine, click).id

    def run(self, operation_id: str, click: CustomAction) -> dict[str, Any]:
        """Run an operation to its end; returns its report."""
        context = Context(
            operation_id,
            click,
            self.leadership(),
            self.settings,
            self.iconik,
            self.searching,
            DeletionCapabilities(),
            Bucket(self.settings),
            Shared(),
            WorkerPool(batches.CONNECTIONS).share(),
        )
        self.stopping.bring_to_end(Run(context).step)
        return self.report(operation_id)

    def leadership(self) -> Leadership:
        """The leadership of this process, which nobody ends."""
        return Leadership(self.engine, self.term, self.stopping)

    def do(self, click: CustomAction) -> dict[str, Any]:
        """Click, and run."""
        return self.run(self.click(click), click)

    def report(self, operation_id: str = "operation-1") -> dict[str, Any]:
        """The report of an operation that has run."""
        operation, ledger = found(self.engine, operation_id), a_ledger(self.engine)
        return report(operation, ledger.outcomes(operation.number), ledger.gone(operation.number))

    def at_wait(self, number: int, happen: Callable[[], object]) -> None:
        """Have something happen elsewhere at the so manieth wait."""
        self.stopping.at_wait = lambda wait: happen() if wait == number else None

    def stop(self, operation_id: str = "operation-1") -> None:
        """Have somebody ask for the end of an operation."""
        a_ledger(self.engine).ask_to_stop(operation_id, "Ada", NOW)

    def copy_ends(self, *arrived: File, asset_ids: Sequence[str] = (ASSET,)) -> None:
        """Have iconik tell the end of its first copy at once.

        Args:
            arrived: the files of each asset since then; one on each storage if none is given.
        """
        self.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")

        def arrive() -> None:
            for each in asset_ids:
                self.iconik.has(*(arrived or (on_b2(), on_ll())), asset_id=each)

        self.iconik.before["jobs"] = arrive
