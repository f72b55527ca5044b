"""The assets of operations for reports, in pages, those with a problem first."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from b2_iconik.domain.operation import AssetProgress, Operation
from b2_iconik.domain.outcomes import TROUBLE, Outcome
from b2_iconik.ledger.tables import assets
from iconik_http.records import UUID


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
    """

    format_name: str
    kind: str
    assets: int
    size: int


FIRST = Place(True, "")
# The place of the size in a stored outcome; see ``outcomes.Outcome.stored``.
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
    """

    asset_id: str
    state: str
    not_before_ms: int
    progress: AssetProgress
    outcomes: Mapping[str, Outcome]
    title: str = ""
    is_problem: bool = False

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
        self._is_sqlite = engine.dialect.name == "sqlite"

    def totals(self, number: int) -> list[Total]:
        """Count the outcomes of an operation by format, as far as known, with their bytes."""
        each = self._each_outcome()
        kind = self._part_of(each, 0)
        size = sa.cast(self._part_of(each, SIZE), sa.BigInteger)
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(each.c.key, kind.label("kind"), sa.func.count(), sa.func.sum(size))
                .select_from(assets.join(each, sa.true()))
                .where(assets.c.number == number)
                .group_by(each.c.key, kind)
                .order_by(each.c.key)
            )
            return [Total(row.key, row.kind, row[2], int(row[3] or 0)) for row in rows]

    def page(
        self,
        operation: Operation,
        limit: int,
        *,
        after: Place = FIRST,
        show: str = "",
        text: str = "",
    ) -> list[Asset]:
        """Return a page of an operation's assets: those with a problem, then the others, by id.

        Args:
            operation: the operation.
            limit: the maximum number of assets.
            after: only assets after this place.
            show: only assets with this kind of outcome; 'undone' for a format without an outcome.
            text: only assets whose title contains this text, or whose id starts with it. It may be
                the address of an asset's page in iconik.
        """
        only: list[sa.ColumnElement[bool]] = []
        if show:
            only.append(self._has(operation, {show}))
        if text:
            only.append(is_about(text))
        troubles = _troubles(operation)
        is_problem = self._has(operation, troubles) if troubles else sa.false()
        found: list[Asset] = []
        # Two queries, each in index order: a combined query would have to sort all assets.
        if after.is_problem and troubles:
            found += self._read(operation, limit, after, [*only, is_problem])
            after = Place(False, "")
        if len(found) < limit:
            behind = Place(False, "" if after.is_problem else after.asset_id)
            found += self._read(operation, limit - len(found), behind, [*only, ~is_problem])
        return found

    def named(self, operation: Operation, text: str, limit: int) -> list[Asset]:
        """Return the assets of an operation that a person may mean, by id.

        Args:
            operation: the operation.
            text: an id or a title, otherwise the start of an id, a part of a title, or the address
                of an asset's page in iconik.
            limit: the maximum number of assets.
        """
        is_exact = sa.or_(assets.c.asset_id == text.lower(), assets.c.title == text)
        is_long = len(text) >= SHORTEST_ID
        for condition in (is_exact, is_about(text) if is_long else has_in_title(text)):
            found = self._read(operation, limit, Place(False, ""), [condition])
            if found:
                return found
        return []

    def _read(
        self,
        operation: Operation,
        limit: int,
        after: Place,
        conditions: Sequence[sa.ColumnElement[bool]],
    ) -> list[Asset]:
        chosen = (
            sa.select(assets)
            .where(
                assets.c.number == operation.number,
                assets.c.asset_id > after.asset_id,
                *conditions,
            )
            .order_by(assets.c.asset_id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [
                Asset(
                    row.asset_id,
                    row.state,
                    row.not_before_ms,
                    AssetProgress.from_json(row.progress),
                    {name: Outcome.read(each) for name, each in row.outcomes.items()},
                    row.title or "",
                    after.is_problem,
                )
                for row in connection.execute(chosen)
            ]

    def _has(self, operation: Operation, kinds: Collection[str]) -> sa.ColumnElement[bool]:
        """Build a condition: a format has one of these outcomes, or 'undone' for none."""
        each = self._each_outcome()
        of_kind = (
            sa.select(sa.literal(1)).select_from(each).where(self._part_of(each, 0).in_(kinds))
        )
        is_there: list[sa.ColumnElement[bool]] = [of_kind.exists()]
        if "undone" in kinds:
            outcomes = sa.select(sa.func.count()).select_from(each).scalar_subquery()
            is_there.append(outcomes < len(operation.formats))
        # A deletion that was not finished. Stored progress holds only values that aren't empty.
        if "failed" in kinds and operation.ended_ms is not None:
            deleting = (
                sa.func.json_type(assets.c.progress, "$.deletions")
                if self._is_sqlite
                else assets.c.progress.op("->")(sa.literal_column("'deletions'"))
            )
            is_there.append(deleting.is_not(None))
        return sa.or_(*is_there)

    def every(self, operation: Operation, at_once: int) -> Iterator[Asset]:
        """Yield every asset of an operation, in the same order, reading them in parts."""
        place = FIRST
        while some := self.page(operation, at_once, after=place):
            yield from some
            place = some[-1].place

    def _each_outcome(self) -> Any:
        """Return the outcomes of an asset as rows of ``key`` and ``value``, a JSON array."""
        return sa.func.json_each(assets.c.outcomes).table_valued("key", "value", name="outcome")

    def _part_of(self, each: Any, place: int) -> Any:
        """Return a part of such an array. Not every SQLite has PostgreSQL's operator."""
        if self._is_sqlite:
            return sa.func.json_extract(each.c.value, f"$[{place}]")
        return each.c.value.op("->>")(sa.literal_column(str(place)))


def is_about(text: str) -> sa.ColumnElement[bool]:
    """Build a condition: an asset has this text in its title, or its id in this text."""
    lower = text.lower()
    ids = [each[0] for each in UUID.finditer(lower)]
    if ids:
        return assets.c.asset_id.in_(ids)
    return sa.or_(assets.c.asset_id.startswith(lower, autoescape=True), has_in_title(text))


def has_in_title(text: str) -> sa.ColumnElement[bool]:
    """Build a condition: an asset has this text in its title."""
    return sa.or_(
        sa.func.lower(assets.c.title).contains(text.lower(), autoescape=True),
        # SQLite lowers only ASCII letters.
        assets.c.title.contains(text, autoescape=True),
    )


def _troubles(operation: Operation) -> frozenset[str]:
    """Return the outcomes of an operation that are problems; none if it is known to have none."""
    troubles = TROUBLE if operation.ended_ms is None else TROUBLE | {"undone"}
    if operation.counts is None:
        return troubles
    return frozenset(kind for kind in troubles if operation.counts.get(kind))
