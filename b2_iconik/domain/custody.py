"""Decide what must be copied, what is proven safe to delete, and why not. Pure: no I/O.

A file set on LucidLink may be deleted only if one file set of the same format on B2 holds a twin of
every file in it. Missing or contradictory information from iconik prevents the deletion.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from b2_iconik.domain import reasons
from b2_iconik.domain.checksums import checksum, compare
from b2_iconik.domain.disputes import REMEDIES, Disputes, Objection, Remedy
from b2_iconik.domain.matching import ReplicaSet, SourceSet, by_file_set, key, media
from b2_iconik.domain.reasons import Reason
from iconik_http.records import CLOSED, MISSING, UNFINISHED, File, Format


class Pair(NamedTuple):
    """A file on LucidLink, and the twin on B2 that proves it."""

    file: File
    twin: File


@dataclass(frozen=True)
class Safe:
    """A file set on LucidLink that may be deleted.

    Attributes:
        twin_id: the file set on B2 that proves it.
        by_checksum: whether every file was proven by checksum, and not by size alone. An empty file
            needs no checksum.
        size: the total size of its files, in bytes.
        pairs: every file with each of its twins. A file may have several twins; all of them prove
            it.
        was_missing: whether iconik reports every file as already missing from LucidLink.
    """

    file_set_id: str
    twin_id: str
    by_checksum: bool
    size: int = field(default=0, compare=False)
    format_id: str = field(default="", compare=False)
    pairs: tuple[Pair, ...] = field(default=(), compare=False, repr=False)
    was_missing: bool = False


@dataclass(frozen=True)
class Unproven:
    """A file set on LucidLink that must stay.

    Attributes:
        reason: why it isn't proven safe.
        remedy: 'copy' if a copy to B2 may prove it, 'wait' if a copy seems to be in progress,
            'none' if it needs a person.
    """

    file_set_id: str
    reason: Reason
    remedy: Remedy


Verdict = Safe | Unproven


@dataclass(frozen=True)
class Presence:
    """The state of one format of an asset on a storage.

    Attributes:
        state: 'there', 'unfinished' (a copy is in progress), or 'lacking'.
        has_source: whether another storage has files of the format that can be copied.
    """

    state: Literal["there", "unfinished", "lacking"]
    has_source: bool


def wanted_formats(formats: Iterable[Format], name: str) -> list[Format]:
    """Return the formats with a name, newest first. An asset has one for each of its versions."""
    return by_age(each for each in formats if each.name == name)


def by_age(formats: Iterable[Format]) -> list[Format]:
    """Sort formats: the newest first."""
    return sorted(formats, key=lambda each: each.date_created, reverse=True)


def presence(format_id: str, files: Iterable[File], storage_id: str) -> Presence:
    """Determine the state of one format of an asset on a storage.

    Args:
        files: all files of the asset, on all storages.
    """
    mine = [file for file in media(files) if file.format_id == format_id and file.is_active]
    sets = by_file_set(file for file in mine if file.storage_id == storage_id).values()
    elsewhere = by_file_set(file for file in mine if file.storage_id != storage_id).values()
    sources = [each for each in elsewhere if is_whole(each)]
    # The number of files proves nothing, but it distinguishes a partial file set from a complete
    # one.
    fewest = min(map(len, sources), default=0)
    if any(len(each) >= fewest and is_whole(each) for each in sets):
        return Presence("there", bool(sources))
    if any(file.status in UNFINISHED for each in sets for file in each):
        return Presence("unfinished", bool(sources))
    return Presence("lacking", bool(sources))


def is_whole(files: Sequence[File]) -> bool:
    """Return whether all files of a file set are finished, and at least one has content."""
    return all(map(_complete, files)) and _has_content(files)


def judge(
    format_id: str, files: Iterable[File], ll_storage_id: str, b2_storage_id: str
) -> list[Verdict]:
    """Decide for every file set of a format on LucidLink whether it may be deleted.

    Args:
        files: all files of the asset, on all storages, read from iconik's files API. Files of
            deleted file sets are ignored.

    Returns:
        One verdict for each file set of the format on the LucidLink storage.

    Raises:
        ValueError: the two storages are the same.
    """
    if ll_storage_id == b2_storage_id:
        raise ValueError("a storage can't prove itself")
    files = list(files)
    source_sets, shelves, sequences = [], {}, []
    for file_set_id, each in by_file_set(files).items():
        homes = {(file.storage_id, file.format_id) for file in each}
        is_deleted = all(file.is_deleted for file in each)
        is_active = all(file.is_active for file in each)
        if (ll_storage_id, format_id) in homes and format_id and not is_deleted:
            source_sets.append(SourceSet(file_set_id, each))
        elif homes == {(b2_storage_id, format_id)} and file_set_id and is_active:
            shelves[file_set_id] = ReplicaSet([file for file in each if file.type == "FILE"])
            sequences += [_one_record(file, "B2") for file in each if file.type == "SEQUENCE"]
    disputes = Disputes(files)
    return [
        _judge_source_set(source_set, shelves, sequences, disputes) for source_set in source_sets
    ]


def proven_by_size_alone(safe: Safe) -> Unproven:
    """Keep a file set because one of its files lacks comparable checksums.

    Args:
        safe: a verdict with ``by_checksum`` False.
    """
    every = {key(pair.file): pair.file.label for pair in safe.pairs}
    some = {key(pair.file): pair.file.label for pair in safe.pairs if not _is_same(pair)}
    told = reasons.NO_CHECKSUM(name=min(some.values()))
    reason = reasons.about_all(told, list(some.values()), list(every.values()))
    return Unproven(safe.file_set_id, reason, "none")


def _judge_source_set(
    source_set: SourceSet,
    shelves: Mapping[str, ReplicaSet],
    sequences: Sequence[Objection],
    disputes: Disputes,
) -> Verdict:
    # In groups: what speaks against the file set itself, or against each file set on B2.
    groups = [list(_objections_of_itself(source_set, disputes))]
    if not groups[0]:
        proofs = []
        for twin_id, replica_set in shelves.items():
            twins = replica_set.twins(source_set)
            against = list(_objections_of_twins(source_set, twins, disputes))
            if not against:
                proofs.append(_safe(source_set, twin_id, twins))
            groups.append(against)
        if proofs:
            return next((each for each in proofs if each.by_checksum), proofs[0])
        if not shelves:
            groups.append([_no_twin(each.file) for each in source_set.relative_files])
    # A problem that needs a person comes first: no copy would resolve it.
    told = min(
        (objection for group in groups for objection in group),
        key=lambda objection: (REMEDIES.index(objection.remedy), objection.reason),
    )
    every = [file.label for file in source_set.files]
    reason, remedy = _of_all_alike(told, groups, every), told.remedy
    if remedy == "copy":
        if sequences:
            reason, remedy, _ = min(sequences)
        missing = [file.label for file in source_set.files if file.status == MISSING]
        if missing:
            lost = reasons.LOST(reason=reason, name=min(missing))
            reason, remedy = reasons.about_all(lost, missing, every), "none"
    return Unproven(source_set.file_set_id, reason, remedy)


def _of_all_alike(
    told: Objection, groups: Iterable[Sequence[Objection]], every: Sequence[str]
) -> Reason:
    """Return a reason about all files to which there is such an objection.

    Args:
        groups: all objections. The reason describes the file set on B2 with the fewest.
        every: the names of all files of the file set.
    """
    kind = (told.remedy, told.reason.sentence)
    candidates = []
    for group in groups:
        alike = sorted(each for each in group if (each.remedy, each.reason.sentence) == kind)
        if alike:
            names = {each.of: str(each.reason.values.get("name")) for each in alike}
            reason = reasons.about_all(alike[0].reason, list(names.values()), every)
            candidates.append((len(names), reason))
    return min(candidates)[1]


def _safe(source_set: SourceSet, twin_id: str, twins: Sequence[Sequence[File]]) -> Safe:
    pairs = tuple(
        Pair(relative_file.file, each)
        for relative_file, several in zip(source_set.relative_files, twins, strict=True)
        for each in several
    )
    return Safe(
        source_set.file_set_id,
        twin_id,
        by_checksum=all(map(_is_same, pairs)),
        size=sum(relative_file.file.size or 0 for relative_file in source_set.relative_files),
        format_id=source_set.files[0].format_id,
        pairs=pairs,
        was_missing=all(file.status == MISSING for file in source_set.files),
    )


def _is_same(pair: Pair) -> bool:
    """Return whether two files of the same size certainly have the same content."""
    return pair.file.size == 0 or compare(checksum(pair.file), checksum(pair.twin)) == "same"


def _objections_of_itself(source_set: SourceSet, disputes: Disputes) -> Iterator[Objection]:
    """Yield the reasons that make the LucidLink file set itself impossible to judge."""
    if not source_set.file_set_id:
        yield Objection(reasons.NO_FILE_SET, "none")
        return
    if source_set.is_mixed:
        yield Objection(reasons.MIXED_FILE_SET, "none")
    if all(file.type == "DIRECTORY" for file in source_set.records):
        yield Objection(reasons.NO_FILE, "none")
        return
    has_content = _has_content(source_set.files)
    for file in source_set.records:
        for objection in _objections_of_file(file, source_set, disputes, has_content=has_content):
            yield objection._replace(of=key(file))


def _objections_of_file(
    file: File, source_set: SourceSet, disputes: Disputes, *, has_content: bool
) -> Iterator[Objection]:
    """Yield the reasons that make a file on LucidLink impossible to judge.

    Args:
        has_content: whether any file of the file set has content.
    """
    name = file.label
    if file.status in UNFINISHED:
        yield Objection(reasons.STILL_WRITTEN(name=name, status=file.status), "none")
    elif file.type == "DIRECTORY":
        if not source_set.holds(file):
            yield Objection(reasons.EMPTY_DIRECTORY(name=name), "none")
    elif file.type == "SEQUENCE":
        yield _one_record(file, "LucidLink")
    elif file.type != "FILE":
        yield Objection(
            reasons.NO_ORDINARY_FILE(name=name, type=file.type or "of unknown type"), "none"
        )
    elif file.status not in (CLOSED, MISSING):
        yield Objection(reasons.BAD_STATUS_HERE(name=name, status=_status(file)), "none")
    elif not _has_size(file) or not has_content:
        yield Objection(reasons.BAD_SIZE_HERE(name=name, size=_bytes(file.size)), "none")
    elif not file.original_name:
        yield Objection(reasons.NO_NAME, "none")
    elif source_set.is_twice(file):
        yield Objection(reasons.TWICE(name=name), "none")
    else:
        yield from disputes.objections(file, "LucidLink")


def _objections_of_twins(
    source_set: SourceSet, twins: Sequence[Sequence[File]], disputes: Disputes
) -> Iterator[Objection]:
    """Yield the reasons why the files on B2 do not prove those on LucidLink."""
    for relative_file, several in zip(source_set.relative_files, twins, strict=True):
        file = relative_file.file
        if not several:
            yield _no_twin(file)
        for twin in several:
            objection = _objection(file, twin)
            against = [objection] if objection else disputes.objections(twin, "B2")
            for each in against:
                yield each._replace(of=key(file))


def _no_twin(file: File) -> Objection:
    return Objection(reasons.NO_TWIN(name=file.label), "copy", key(file))


def _one_record(file: File, where: str) -> Objection:
    return Objection(reasons.ONE_RECORD(name=file.label, where=where), "none")


def _objection(file: File, twin: File) -> Objection | None:
    """Return why a file on B2 does not prove one on LucidLink; None if it does."""
    name = file.label
    if twin.status in UNFINISHED:
        return Objection(reasons.UNFINISHED_TWIN(name=name, status=twin.status), "wait")
    if twin.status != CLOSED:
        return Objection(reasons.BAD_STATUS_THERE(name=name, status=_status(twin)), "copy")
    if not _has_size(twin) or twin.size == 0 != file.size:
        return Objection(reasons.BAD_SIZE_THERE(name=name, size=_bytes(twin.size)), "copy")
    if twin.size != file.size:
        here, there = _bytes(file.size), _bytes(twin.size)
        return Objection(reasons.DIFFERS(name=name, what="", here=here, there=there), "none")
    found = compare(checksum(file), checksum(twin))
    here, there = str(file.checksum), str(twin.checksum)
    if found == "different":
        return Objection(
            reasons.DIFFERS(name=name, what="checksum ", here=here, there=there), "none"
        )
    if found == "unclear":
        return Objection(reasons.UNCLEAR_CHECKSUMS(name=name, here=here, there=there), "none")
    return None


def _status(file: File) -> str:
    return file.status or "of unknown status"


def _complete(file: File) -> bool:
    return file.status == CLOSED and _has_size(file)


def _has_size(file: File) -> bool:
    return file.size is not None and file.size >= 0


def _has_content(files: Iterable[File]) -> bool:
    """Return whether a file has content. A failed copy may leave only empty files."""
    return any((file.size or 0) > 0 for file in files)


def _bytes(size: int | None) -> str:
    return "no known size" if size is None else f"{size:,} bytes"
