"""The assets of operations for reports, in pages, those with a problem first."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import TROUBLE, Outcome
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.ledger.tables import assets, copies, progress_has_deletion
from b2_iconik.report.conditions import contains, each_outcome, is_about, json_text


class Place(NamedTuple):
    """A place in a report. Assets with a problem come first in a report.

    Attributes:
        is_problem: whether the place is among the assets with a problem.
        asset_id: the place is directly after this asset.
    """

    is_problem: bool
    asset_id: str


class Total(NamedTuple):
    """How many assets of an operation have an outcome, for one format.

    Attributes:
        size: their total size in bytes, as far as known.
        proof: what proved them safe; see ``Outcome.proof``.
    """

    format_name: str
    kind: str
    assets: int
    size: int
    proof: str = ""


FIRST = Place(True, "")
# The places of proof and size in a stored outcome; see ``outcomes.Outcome.stored``.
PROOF = 2
SIZE = 4
# The shortest start of an id that stands for the id.
SHORTEST_ID = 4


@dataclass(frozen=True)
class Asset:
    """The state of an asset of an operation.

    Attributes:
        state: see ``claims``.
        not_before_ms: when it must be inspected again, by the clock of operations.
        outcomes: the known outcomes, by format name.
        title: as iconik listed it; "" if unknown.
        is_problem: whether one of its formats was kept, failed, vanished or undone.
        is_being_copied: whether a copy of it is not known to have ended.
    """

    asset_id: str
    state: str
    not_before_ms: int
    progress: AssetProgress
    outcomes: Mapping[str, Outcome]
    title: str = ""
    is_problem: bool = False
    is_being_copied: bool = False

    @property
    def place(self) -> Place:
        """The place directly after it."""
        return Place(self.is_problem, self.asset_id)


class Reported:
    """The outcomes of the assets of operations, read-only.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def totals(self, number: int) -> list[Total]:
        """Count the known outcomes of an operation by format and proof, with their bytes."""
        each = each_outcome(assets)
        kind = json_text(each, 0).label("kind")
        proof = sa.func.coalesce(json_text(each, PROOF), "").label("proof")
        size = sa.cast(json_text(each, SIZE), sa.BigInteger)
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(each.c.key, kind, sa.func.count(), sa.func.sum(size), proof)
                .select_from(assets.join(each, sa.true()))
                .where(assets.c.number == number)
                .group_by(each.c.key, kind, proof)
                .order_by(each.c.key, kind, proof)
            )
            return [Total(row.key, row.kind, row[2], int(row[3] or 0), row.proof) for row in rows]

    def page(
        self,
        operation: Operation,
        limit: int,
        *,
        after: Place = FIRST,
        before: Place | None = None,
        show: str = "",
        text: str = "",
    ) -> list[Asset]:
        """Return a page of an operation's assets: those with a problem, then the others, by id.

        Args:
            after: the page starts after this place.
            before: the page ends before the asset of this place, wherever it starts.
            show: only assets with this kind of outcome; 'undone' for a format without an outcome.
            text: only assets whose title contains this text, or whose id starts with it. It may be
                the address of an asset's page in iconik.
        """
        only = list(_chosen(operation, show, text))
        troubles = _troubles(operation)
        has_problem = _has(operation, troubles) if troubles else sa.false()
        place, parts = (before, (False, True)) if before else (after, (True, False))
        found: list[Asset] = []
        # Two queries, each in index order: a combined query would have to sort all assets.
        for is_problem in parts[parts.index(place.is_problem) :]:
            if is_problem and not troubles:
                continue
            beyond = place.asset_id if is_problem == place.is_problem else ""
            conditions = [*only, has_problem if is_problem else ~has_problem]
            found += self._read(
                operation,
                limit - len(found),
                conditions,
                beyond=beyond,
                is_problem=is_problem,
                is_backwards=before is not None,
            )
        return found[::-1] if before else found

    def matching(self, operation: Operation, show: str, text: str) -> int:
        """Return the number of assets of all pages; see ``page``."""
        chosen = (assets.c.number == operation.number, *_chosen(operation, show, text))
        counted = sa.select(sa.func.count()).select_from(assets).where(*chosen)
        with self._engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def named(self, operation: Operation, text: str, limit: int) -> list[Asset]:
        """Return the assets of an operation that a person may mean, by id.

        Args:
            text: an id or a title, otherwise the start of an id, a part of a title, or the address
                of an asset's page in iconik.
        """
        is_exact = sa.or_(assets.c.asset_id == text.lower(), assets.c.title == text)
        is_part = is_about(text) if len(text) >= SHORTEST_ID else contains(assets.c.title, text)
        for condition in (is_exact, is_part):
            found = self._read(operation, limit, [condition])
            if found:
                return found
        return []

    def some(self, operation: Operation, asset_ids: Collection[str]) -> list[Asset]:
        """Return some assets of an operation, by id."""
        return self._read(operation, len(asset_ids), [assets.c.asset_id.in_(asset_ids)])

    def _read(
        self,
        operation: Operation,
        limit: int,
        conditions: Sequence[sa.ColumnElement[bool]],
        *,
        beyond: str = "",
        is_problem: bool = False,
        is_backwards: bool = False,
    ) -> list[Asset]:
        """Read assets in the order of their ids.

        Args:
            conditions: only assets that meet these.
            beyond: starts after this asset; "" for the first one.
            is_problem: whether these are the assets with a problem.
            is_backwards: reads in the opposite order.
        """
        under_way = sa.select(copies.c.job_id).where(
            copies.c.number == assets.c.number, copies.c.batch == assets.c.batch, ~copies.c.ended
        )
        by = assets.c.asset_id
        chosen = sa.select(assets, under_way.exists().label("is_being_copied")).where(
            assets.c.number == operation.number, *conditions
        )
        if beyond:
            chosen = chosen.where(by < beyond if is_backwards else by > beyond)
        chosen = chosen.order_by(by.desc() if is_backwards else by).limit(limit)
        with self._engine.connect() as connection:
            return [
                Asset(
                    row.asset_id,
                    row.state,
                    row.not_before_ms,
                    AssetProgress.from_json(row.progress),
                    {name: Outcome.read(each) for name, each in row.outcomes.items()},
                    row.title or "",
                    is_problem,
                    row.is_being_copied,
                )
                for row in connection.execute(chosen)
            ]

    def every(self, operation: Operation, at_once: int) -> Iterator[Asset]:
        """Yield every asset of an operation, in the same order, reading them in parts."""
        place = FIRST
        while some := self.page(operation, at_once, after=place):
            yield from some
            place = some[-1].place


def _troubles(operation: Operation) -> frozenset[str]:
    """Return the outcomes of an operation that are problems; none if it is known to have none."""
    troubles = TROUBLE if operation.ended_ms is None else TROUBLE | {"undone"}
    if operation.counts is None:
        return troubles
    return frozenset(kind for kind in troubles if operation.counts.get(kind))


def _chosen(operation: Operation, show: str, text: str) -> Iterator[sa.ColumnElement[bool]]:
    if show:
        yield _has(operation, {show})
    if text:
        yield is_about(text)


def _has(operation: Operation, kinds: Collection[str]) -> sa.ColumnElement[bool]:
    """Build a condition: a format has one of these outcomes, or 'undone' for none."""
    each = each_outcome(assets)
    of_kind = sa.exists().select_from(each).where(json_text(each, 0).in_(kinds))
    is_there: list[sa.ColumnElement[bool]] = [of_kind]
    if "undone" in kinds:
        outcomes = sa.select(sa.func.count()).select_from(each).scalar_subquery()
        is_there.append(outcomes < len(operation.formats))
    # A deletion that was not finished.
    if "failed" in kinds and operation.ended_ms is not None:
        is_there.append(progress_has_deletion())
    return sa.or_(*is_there)
