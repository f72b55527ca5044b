"""Makers of what the tests are about, each valid by itself, and an iconik in memory."""

import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

from b2_iconik.common.clock import Step
from b2_iconik.domain.click import Action, CustomAction
from b2_iconik.domain.operation import Operation, Origin, OriginKind
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import Deletion
from b2_iconik.ledger import intake
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.database import connect, writing
from b2_iconik.ledger.operations import Ledger, read_operation
from b2_iconik.ledger.tables import assets, holdings, operations, protections, terms
from b2_iconik.ledger.term import begin_term
from iconik import Iconik
from iconik_http import expiry
from iconik_http.errors import IconikError, NotFound, NotOffered, NotPermitted, TooLate
from iconik_http.expiry import Reading
from iconik_http.paging import Map
from iconik_http.records import (
    ACTIVE,
    DELETED,
    Collection,
    File,
    FileSet,
    Format,
    Job,
    Listed,
    Storage,
)

LL = "storage-ll"
B2 = "storage-b2"
ORIGINAL = "format-original"
ASSET = "asset-1"
PATIENCE = 5.0
CLICKED = 1_000_000
# How long a proof holds that is never too old.
FOR_EVER = math.inf

Known = TypeVar("Known")


def a_format(name: str = "ORIGINAL", **fields: Any) -> Format:
    """A format of an asset."""
    return Format(**{"id": f"format-{name.lower()}", "name": name, **fields})


def a_file(storage_id: str, name: str = "clip.mov", **fields: Any) -> File:
    """A whole file on a storage, in the only file set that its format has there."""
    format_id = fields.get("format_id", ORIGINAL)
    given: dict[str, Any] = {
        "id": f"file-{storage_id}-{name}",
        "file_set_id": f"set-{storage_id}-{format_id}",
        "format_id": format_id,
        "storage_id": storage_id,
        "name": name,
        "original_name": name,
        "directory_path": "projects/one",
        "type": "FILE",
        "status": "CLOSED",
        "size": 1000,
        "checksum": None,
        "file_set_status": "ACTIVE",
    }
    return File(**{**given, **fields})


def on_ll(name: str = "clip.mov", **fields: Any) -> File:
    """A whole file on LucidLink."""
    return a_file(LL, name, **fields)


def on_b2(name: str = "clip.mov", **fields: Any) -> File:
    """A whole file on B2, the twin of what ``on_ll`` makes."""
    return a_file(B2, name, **fields)


def half_done(names: Mapping[str, str]) -> dict[str, Deletion]:
    """Deletions that have begun, without their proofs, by file set id.

    Args:
        names: the format's name by file set id.
    """
    return {each: Deletion(name) for each, name in names.items()}


def a_click(action: Action = "add", **fields: Any) -> CustomAction:
    """A click on one asset, for its ORIGINAL."""
    given: dict[str, Any] = {
        "action": action,
        "b2_storage_id": B2,
        "ll_storage_id": LL,
        "formats": ("ORIGINAL",),
        "context": "ASSET",
    }
    return CustomAction(**{**given, **fields})


def an_operation(number: int = 1, **fields: Any) -> Operation:
    """A running operation whose assets aren't listed yet."""
    given: dict[str, Any] = {
        "number": number,
        "id": f"operation-{number}",
        "action": "add",
        "b2_storage_id": B2,
        "ll_storage_id": LL,
        "formats": ("ORIGINAL",),
        "selection": "1 asset",
        "user_id": None,
        "key": "key",
        "is_expanded": False,
        "recorded_ms": 0,
        "ended_ms": None,
        "failure": None,
    }
    return Operation(**{**given, **fields})


@contextmanager
def a_database(directory: Path) -> Iterator[sa.Engine]:
    """The engine of a SQLite file with a ledger's tables."""
    path = directory / "ledger.sqlite"
    make_tables(path)
    engine = connect(f"sqlite:///{path}", PATIENCE)
    try:
        yield engine
    finally:
        engine.dispose()


def hold(engine: sa.Engine, asset_id: str = ASSET, *formats: str, **fields: Any) -> None:
    """Have formats of an asset on LucidLink; its ORIGINAL if none is given."""
    given = {
        "ll_storage_id": LL,
        "b2_storage_id": B2,
        "asset_id": asset_id,
        "number": 1,
        "operation_id": "operation-1",
        "title": asset_id.capitalize(),
        "size": 1000,
        "since_ms": CLICKED,
    }
    rows = [{**given, "format_name": name, **fields} for name in formats or ("ORIGINAL",)]
    with writing(engine) as connection:
        connection.execute(sa.insert(holdings), rows)


def protect(engine: sa.Engine, asset_id: str = ASSET, until_ms: int = CLICKED) -> None:
    """Protect an asset from every Remove."""
    row = {"asset_id": asset_id, "since_ms": 0, "until_ms": until_ms, "by": "Ada"}
    with writing(engine) as connection:
        connection.execute(sa.insert(protections).values(row))


def make_tables(path: Path) -> None:
    """Make a SQLite file with a ledger's tables, which are empty."""
    path.write_bytes(_tables())


@cache
def _tables() -> bytes:
    # Creating them takes longer than most tests.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "empty.sqlite"
        engine = connect(f"sqlite:///{path}", PATIENCE)
        Ledger(engine).create()
        engine.dispose()
        return path.read_bytes()


def a_term(engine: sa.Engine) -> int:
    """The term of whoever runs operations now, begun if nobody does."""
    with engine.connect() as connection:
        term = connection.execute(sa.select(sa.func.max(terms.c.term))).scalar()
    return term or begin_term(engine, 0)


def a_ledger(engine: sa.Engine) -> Ledger:
    """The ledger, as whoever runs operations now has it."""
    return Ledger(engine, a_term(engine))


def claims_of(engine: sa.Engine, operation: Operation) -> Claims:
    """The assets of an operation, as whoever runs operations now has them."""
    return Claims(engine, operation, a_term(engine))


def completion(engine: sa.Engine) -> Completion:
    """The ends of operations, as whoever runs operations now makes them."""
    return Completion(engine, a_term(engine))


def clicked(
    engine: sa.Engine, click: CustomAction, now_ms: int = 0, origin: Origin | None = None
) -> Operation:
    """Write down a click as the newest operation."""
    with writing(engine) as connection:
        number = connection.execute(
            sa.text("SELECT coalesce(max(number), 0) + 1 FROM plugin_operations")
        ).scalar_one()
        intake.record(
            connection,
            f"operation-{number}",
            click,
            digest=click.action,
            sealed="",
            key="key",
            now_ms=now_ms,
            origin=origin,
        )
    return found(engine, f"operation-{number}")


def answered(engine: sa.Engine, what: CustomAction, name: str, digest: str = "same") -> str:
    """Click as the web side does; returns the id that it would answer."""
    with writing(engine) as connection:
        same = intake.not_begun(connection, what, digest)
        if same:
            return same
        intake.record(connection, name, what, digest=digest, sealed="", key="key", now_ms=CLICKED)
    return name


class Waits(threading.Event):
    """A stop that never comes; each wait for it is over at once, and moves the time of ``Run``.

    Attributes:
        waits: how long each was to be, in seconds.
        at_wait: what happens elsewhere at each, by its number from 1 on.
    """

    def __init__(self, at_wait: Callable[[int], object] = lambda _: None) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.at_wait = at_wait

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        self.at_wait(len(self.waits))
        assert len(self.waits) < 500, "waits for ever"
        return self.is_set()

    def monotonic(self) -> float:
        """The time, which goes on by waiting alone."""
        return sum(self.waits)

    def bring_to_end(self, step: Step) -> None:
        """Take all steps of an operation, and wait in between as a leader does."""
        while (seconds := step()) is not None:
            if seconds:
                self.wait(seconds)


def finish(engine: sa.Engine, operation_id: str, now_ms: int = CLICKED) -> bool:
    """Do all that an operation of no assets does."""
    operation, ledger = found(engine, operation_id), a_ledger(engine)
    ledger.expand(operation.number, {}, {})
    return completion(engine).end(operation, now_ms)


def found(engine: sa.Engine, operation_id: str) -> Operation:
    """An operation as it stands in the ledger now."""
    operation = Ledger(engine).operation(operation_id)
    assert operation is not None
    return operation


def newest(engine: sa.Engine, limit: int) -> list[Operation]:
    """The last operations, newest first."""
    chosen = sa.select(operations).order_by(operations.c.number.desc()).limit(limit)
    with engine.connect() as connection:
        return [read_operation(row) for row in connection.execute(chosen)]


def expanded(
    engine: sa.Engine,
    click: CustomAction,
    asset_ids: Sequence[str] = (ASSET,),
    *,
    seen: bool = True,
) -> Operation:
    """Write down a click as the newest operation, about these assets.

    Args:
        seen: whether its token has read them.
    """
    # It was opened for them: else it would be about the click's own.
    operation = clicked(engine, replace(click, collection_ids=("c1",)))
    a_ledger(engine).expand(operation.number, dict.fromkeys(asset_ids), {})
    if seen:
        let_see(engine, operation)
    return found(engine, operation.id)


def let_see(engine: sa.Engine, operation: Operation) -> None:
    """Have the token of an operation's click read all of its assets."""
    with writing(engine) as connection:
        mine = assets.c.number == operation.number
        connection.execute(sa.update(assets).where(mine).values(seen=True))


def comes_from(engine: sa.Engine, operation_id: str, kind: OriginKind) -> None:
    """Have an operation come from something other than a click."""
    with writing(engine) as connection:
        this = operations.c.id == operation_id
        connection.execute(sa.update(operations).where(this).values(retry_by="it", origin=kind))


def carried_out(
    engine: sa.Engine,
    click: CustomAction,
    *asset_ids: str,
    outcome: Outcome | None = None,
    iconik_ms: int | None = CLICKED,
) -> Operation:
    """Record a click, and an outcome for all of its assets and formats at some time of iconik's."""
    operation = expanded(engine, click, asset_ids or (ASSET,))
    claims = Claims(engine, operation, a_term(engine), lambda: iconik_ms)
    told = outcome or Outcome("there" if click.action == "add" else "removed", size=300)
    for each in claims.take(1_000, 0):
        claims.note(each, "done", dict.fromkeys(each.formats, told))
    assert completion(engine).end(operation, 0)
    return operation


def held(engine: sa.Engine, *names: str) -> list[Any]:
    """Some columns of what is on LucidLink, as far as the ledger knows, in order."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(*(holdings.c[each] for each in names)).order_by(
                holdings.c.ll_storage_id, holdings.c.asset_id, holdings.c.format_name
            )
        )
        return [row[0] if len(names) == 1 else tuple(row) for row in rows]


class FakeIconik(Iconik):
    """An iconik in memory, which does at once what it is asked.

    Attributes:
        calls: the name and arguments of every call, in order.
        problems: by method name, what to raise instead of an answer.
        before: by method name, what happens elsewhere right before iconik answers.
        shows_files: whether its search index shows the titles, formats and files of assets.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.problems: dict[str, IconikError] = {}
        self.before: dict[str, Callable[[], object]] = {}
        self.known_formats: dict[str, list[Format]] = {}
        self.older_formats: dict[str, list[Format]] = {}
        self.known_files: dict[str, list[File]] = {}
        self.known_statuses: dict[str, dict[str, str]] = {}
        self.counts: dict[str, int] = {}
        self.queue: list[str] = []
        self.storages_known: dict[str, dict[str, Any]] = {}
        # What deletions are accepted and not carried out, by file set id.
        self.undeletable: set[str] = set()
        self.unknown: set[str] = set()
        self.shows_files = False
        self.contents: dict[str, list[tuple[Any, ...]]] = {}
        self.deletes_at_once = False
        self.purges_at_once = False
        self.known_jobs: dict[str, Job] = {}
        self.unlisted_jobs: dict[str, Job] = {}
        self.children: dict[str, list[Job]] = {}
        self.known_transfers: dict[str, list[Job]] = {}
        self.own_jobs: dict[str, dict[str, Any]] = {}
        self.titles: dict[str, str] = {}
        # By collection: the one that contains it.
        self.parents: dict[str, str] = {}
        self.users: dict[str, str] = {}
        # In hours; None if it is not told.
        self.grace_period: float | None = 24.0
        self.new_jobs = iter(f"job-{number}" for number in range(1, 1000))

    def has(self, *files: File, asset_id: str = ASSET, formats: Sequence[Format] = ()) -> None:
        """Let an asset have these files, and a format ORIGINAL if no other is given."""
        self.known_formats[asset_id] = list(formats) or [a_format()]
        self.known_files[asset_id] = list(files)

    def answers_with(self, method: str, answer: Callable[..., Any]) -> None:
        """Have a method answer otherwise."""
        setattr(self, method, answer)

    def called(self, *methods: str) -> list[tuple[Any, ...]]:
        """The calls of some methods, in order."""
        return [call for call in self.calls if call[0] in methods]

    def limited(self, is_known: Callable[[], bool]) -> Iconik:
        return self

    def storage(self, storage_id: str) -> Storage:
        self._answer("storage", storage_id)
        method = "B2" if storage_id == B2 else "FILE"
        known = Storage(storage_id, storage_id, "FILES", method, "ACTIVE", {})
        return replace(known, **self.storages_known.get(storage_id, {}))

    def copy_to_storage(
        self,
        storage_id: str,
        format_name: str,
        asset_ids: Sequence[str],
        source_id: str,
        path: str = "",
    ) -> str:
        where = (source_id, path) if path else (source_id,)
        self._answer("copy_to_storage", storage_id, format_name, list(asset_ids), *where)
        return next(self.new_jobs)

    def download_url(self, asset_id: str, file_id: str) -> str:
        return ""

    def asset_exists(self, asset_id: str) -> bool:
        self._answer("asset_exists", asset_id)
        return asset_id in self.known_formats

    def formats(self, asset_id: str, *, all_versions: bool = False) -> list[Format]:
        self._answer("formats", asset_id)
        older = self.older_formats.get(asset_id, []) if all_versions else []
        return [*_known(self.known_formats, asset_id), *older]

    def files(
        self, asset_id: str, reading: Reading | None = None, *, signed: bool = False
    ) -> list[File]:
        self._answer("files", asset_id)
        if reading is not None:
            reading.add(expiry.now())
        return _known(self.known_files, asset_id)

    def file_sets(self, asset_id: str, reading: Reading | None = None) -> list[FileSet]:
        self._answer("file_sets", asset_id)
        if reading is not None:
            reading.add(expiry.now())
        files = {each.file_set_id: each for each in _known(self.known_files, asset_id)}
        statuses = {each: file.file_set_status or ACTIVE for each, file in files.items()}
        return [
            FileSet(
                each,
                status,
                files[each].format_id if each in files else ORIGINAL,
                files[each].storage_id if each in files else LL,
                self.counts.get(each),
            )
            for each, status in {**statuses, **self.known_statuses.get(asset_id, {})}.items()
        ]

    def deleted_file_sets(self) -> Iterator[FileSet]:
        self._answer("deleted_file_sets")
        return iter([FileSet(each, DELETED) for each in self.queue])

    def search_assets(self, asset_ids: Sequence[str]) -> list[Listed]:
        self._answer("search_assets", sorted(asset_ids))
        if not self.shows_files:
            return [Listed("assets", each) for each in asset_ids]
        known = [each for each in asset_ids if each in self.known_formats]
        return [Listed("assets", each, self.indexed(each)) for each in known]

    def indexed(self, asset_id: str) -> dict[str, Any]:
        """An asset as listings show it now."""
        return {
            "title": self.titles.get(asset_id, ""),
            "formats": [asdict(each) for each in self.known_formats[asset_id]],
            "files": [asdict(each) for each in self.known_files[asset_id]],
        }

    def delete_grace_period(self) -> float | None:
        self._answer("delete_grace_period")
        return self.grace_period

    def restore_file_set(self, asset_id: str, file_set_id: str) -> None:
        self._answer("restore_file_set", asset_id, file_set_id)
        self._set_status(asset_id, file_set_id, ACTIVE)

    def delete_file_set(self, asset_id: str, file_set_id: str, *, until: float) -> bool:
        self._answer("delete_file_set", asset_id, file_set_id, until=until)
        return self._delete(asset_id, file_set_id, is_purge=False)

    def delete_file_sets(self, asset_id: str, file_set_ids: Sequence[str], *, until: float) -> None:
        if not self.deletes_at_once:
            raise NotOffered("delete file sets at once", "this iconik does not offer it (405)")
        self._answer("delete_file_sets", asset_id, list(file_set_ids), until=until)
        for each in file_set_ids:
            self._delete(asset_id, each, is_purge=True)

    def purge_file_set(self, asset_id: str, file_set_id: str, *, until: float) -> bool:
        self._answer("purge_file_set", asset_id, file_set_id, until=until)
        return self._delete(asset_id, file_set_id, is_purge=True)

    def purge_file_sets(self, file_set_ids: Sequence[str], *, until: float) -> None:
        if not self.purges_at_once:
            raise NotPermitted("purge file sets", "it needs can_purge_files")
        self._answer("purge_file_sets", sorted(file_set_ids), until=until)
        for asset_id, files in list(self.known_files.items()):
            for each in {file.file_set_id for file in files} & set(file_set_ids):
                self._delete(asset_id, each, is_purge=True)

    def _delete(self, asset_id: str, file_set_id: str, *, is_purge: bool) -> bool:
        if file_set_id in self.unknown:
            return False
        if file_set_id in self.undeletable or asset_id not in self.known_files:
            return True
        if is_purge:
            files = self.known_files[asset_id]
            self.known_files[asset_id] = [f for f in files if f.file_set_id != file_set_id]
            self.known_statuses.get(asset_id, {}).pop(file_set_id, None)
        else:
            self._set_status(asset_id, file_set_id, DELETED)
        return True

    def _set_status(self, asset_id: str, file_set_id: str, status: str) -> None:
        self.known_statuses.setdefault(asset_id, {})[file_set_id] = status
        self.known_files[asset_id] = [
            replace(file, file_set_status=status) if file.file_set_id == file_set_id else file
            for file in self.known_files[asset_id]
        ]

    def collection_contents(self, collection_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        self._answer("collection_contents", collection_id)
        yield from (Listed(*each) for each in _known(self.contents, collection_id))

    def saved_search_results(self, search_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        self._answer("saved_search_results", search_id)
        yield from (Listed(*each) for each in _known(self.contents, search_id))

    def playlist_items(self, playlist_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        self._answer("playlist_items", playlist_id)
        yield from (Listed(*each) for each in _known(self.contents, playlist_id))

    def jobs(self, job_ids: Sequence[str]) -> dict[str, Job]:
        self._answer("jobs", list(job_ids))
        return {each: self.known_jobs[each] for each in job_ids if each in self.known_jobs}

    def job(self, job_id: str) -> Job | None:
        self._answer("job", job_id)
        return self.unlisted_jobs.get(job_id)

    def transfers(self, asset_id: str) -> list[Job]:
        self._answer("transfers", asset_id)
        return self.known_transfers.get(asset_id, [])

    def failed_children(self, job_id: str) -> list[Job]:
        self._answer("failed_children", job_id)
        return self.children.get(job_id, [])

    def create_job(self, fields: Mapping[str, Any]) -> Job:
        self._answer("create_job", dict(fields))
        return self._own_job(next(self.new_jobs), fields)

    def update_job(self, job_id: str, changes: Mapping[str, Any]) -> Job:
        self._answer("update_job", job_id, dict(changes))
        return self._own_job(job_id, {**self.own_jobs[job_id], **changes})

    def _own_job(self, job_id: str, fields: Mapping[str, Any]) -> Job:
        self.own_jobs[job_id] = dict(fields)
        self.unlisted_jobs[job_id] = Job(job_id, fields["status"])
        return self.unlisted_jobs[job_id]

    def job_with_metadata(self, name: str, value: str, since_ms: int) -> str | None:
        self._answer("job_with_metadata", name, value, since_ms)
        for job_id, fields in self.own_jobs.items():
            if fields["metadata"] == {name: value}:
                return job_id
        return None

    def asset_title(self, asset_id: str) -> str:
        self._answer("asset_title", asset_id)
        return _known(self.titles, asset_id)

    def collection(self, collection_id: str) -> Collection:
        self._answer("collection", collection_id)
        return Collection(_known(self.titles, collection_id), self.parents.get(collection_id, ""))

    def saved_search_name(self, search_id: str) -> str:
        self._answer("saved_search_name", search_id)
        return _known(self.titles, search_id)

    def playlist_title(self, playlist_id: str) -> str:
        self._answer("playlist_title", playlist_id)
        return _known(self.titles, playlist_id)

    def user_name(self, user_id: str) -> str:
        self._answer("user_name", user_id)
        return _known(self.users, user_id)

    def _answer(self, method: str, *arguments: Any, until: float = FOR_EVER) -> None:
        if time.monotonic() > until:
            raise TooLate(method, "it had to wait for so long")
        self.calls.append((method, *arguments))
        if method in self.before:
            self.before.pop(method)()
        if method in self.problems:
            raise self.problems[method]


def _known(known: Mapping[str, Known], name: str) -> Known:
    if name not in known:
        raise NotFound(f"look for {name}", "iconik knows no such object (404)")
    return known[name]
