"""Decide which of several file sets that refer to one LucidLink file may be deleted. Pure: no I/O.

Formats and versions of an asset may refer to one file on LucidLink. Deleting one of their file sets
deletes the file for all of them.
"""

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from b2_iconik.domain.custody import Safe, Unproven, Verdict
from b2_iconik.domain.disputes import REMEDIES, Objection, Remedy
from b2_iconik.domain.matching import Place, parts
from b2_iconik.domain.reasons import SHARED
from iconik_http.records import File, Format


class _Shared(NamedTuple):
    """A file of a file set, and the record of another file set that refers to the same file."""

    file: File
    other: File


# By the id of the other file set.
_Others = dict[str, _Shared]
# By path, then by file set id: one of the file set's files there.
_Index = dict[Place, dict[str, File]]


def unlisted(formats: Iterable[Format], files: Iterable[File], storage_id: str) -> list[File]:
    """Return the undeleted files of an asset on a storage whose format iconik doesn't list."""
    listed = {each.id for each in formats}
    here = [file for file in files if file.storage_id == storage_id and not file.is_deleted]
    return [file for file in here if file.format_id not in listed and file.type != "DIRECTORY"]


def guard_shared_paths(
    verdicts: Mapping[str, Sequence[Verdict]],
    files: Iterable[File],
    ll_storage_id: str,
    formats: Iterable[Format] = (),
) -> dict[str, list[Verdict]]:
    """Keep each file set that shares a file on LucidLink with one that stays.

    Args:
        verdicts: by format name, the verdicts on its file sets on LucidLink.
        files: all files of the asset, on all storages. Files of deleted file sets are ignored.
        formats: all formats of the asset that iconik lists, used to name the format of the other
            file set.

    Returns:
        The verdicts, with ``Unproven`` in place of each ``Safe`` whose file set shares a file with
        one that isn't ``Safe``. The remedy is the weakest one that the other file sets need, or
        'none' if one of them is not in ``verdicts``.
    """
    names = {each.id: each.name for each in formats}
    others = _others(
        file for file in files if file.storage_id == ll_storage_id and not file.is_deleted
    )
    told: dict[str, Verdict] = {}
    for each in (each for several in verdicts.values() for each in several):
        if each.file_set_id not in told or isinstance(each, Unproven):
            told[each.file_set_id] = each
    found = dict(told)
    before: dict[str, Verdict] = {}
    # Repeat until nothing changes: a newly kept file set may share a file with one still to be
    # deleted.
    while found != before:
        before = dict(found)
        for file_set_id, verdict in told.items():
            if isinstance(verdict, Safe):
                objection = _objection(others.get(file_set_id, {}), told, before, names)
                found[file_set_id] = (
                    Unproven(file_set_id, objection.reason, objection.remedy)
                    if objection
                    else verdict
                )
    return {
        name: [found[each.file_set_id] if isinstance(each, Safe) else each for each in several]
        for name, several in verdicts.items()
    }


def sharing(
    file_set_id: str, name: str, files: Sequence[File], formats: Iterable[Format]
) -> tuple[str, ...]:
    """Return the names of the other formats that have a file with the path of one of a file set.

    Args:
        name: the name of the file set's format.
        files: all files of the asset. A copy of one may get the path that it has elsewhere.
    """
    names = {each.id: each.name for each in formats}
    mine = {_path(file) for file in files if file.file_set_id == file_set_id}
    others = {names.get(file.format_id, name) for file in files if _path(file) in mine}
    return tuple(sorted(others - {name}))


def _objection(
    others: _Others,
    told: Mapping[str, Verdict],
    found: Mapping[str, Verdict],
    names: Mapping[str, str],
) -> Objection | None:
    """Return why a file set may not be deleted, given the verdicts on the others; None if it may.

    Args:
        others: the file sets that share a file with it.
        told: the verdicts on the file sets individually.
        found: the verdicts after considering shared files, as far as known.
        names: the names of formats by id.
    """
    objections = []
    for other_id, shared in others.items():
        other = found.get(other_id)
        if isinstance(other, Safe):
            continue
        remedy: Remedy = other.remedy if other else "none"
        why = "which is not proven safe" if other else "which this click does not include"
        # A file set that is kept only because of a third one explains less.
        is_derived = isinstance(told.get(other_id), Safe)
        which = ", ".join(filter(None, (names.get(shared.other.format_id), other_id)))
        reason = SHARED(name=shared.file.label, which=which, why=why)
        objections.append((REMEDIES.index(remedy), is_derived, Objection(reason, remedy)))
    return min(objections)[-1] if objections else None


def _others(files: Iterable[File]) -> dict[str, _Others]:
    """Return by file set the other file sets that would lose a file with it."""
    # Sorted by path, so that the reported file doesn't depend on the order of records.
    placed = sorted(
        ((_path(file), file) for file in files), key=lambda each: (each[0], each[1].label)
    )
    by_path: _Index = defaultdict(dict)
    by_directory: _Index = defaultdict(dict)
    for path, file in placed:
        by_path[path][file.file_set_id] = file
        by_directory[path[:-1]].setdefault(file.file_set_id, file)
    below = _below(placed)
    found: dict[str, _Others] = defaultdict(dict)

    def shares(file: File, other: File) -> None:
        if file.file_set_id != other.file_set_id:
            found[file.file_set_id].setdefault(other.file_set_id, _Shared(file, other))

    for path, record in placed:
        for other in by_path[path].values():
            shares(record, other)
        if record.type == "SEQUENCE":
            # Its frames lie next to it, and their names aren't known.
            for file in by_directory[path[:-1]].values():
                shares(file, record)
        elif record.type == "DIRECTORY":
            inside = below[path]
            for other in inside.values():
                shares(record, other)
            own = inside.get(record.file_set_id)
            if own is None or own.type == "DIRECTORY":
                # The directory's contents belong to this file set, and aren't listed.
                for file in inside.values():
                    shares(file, record)
    return found


def _below(placed: Sequence[tuple[Place, File]]) -> _Index:
    """Index the files below each directory, one per file set; a directory only without files."""
    below: _Index = defaultdict(dict)
    if any(file.type == "DIRECTORY" for _, file in placed):
        for path, file in sorted(placed, key=lambda each: each[1].type == "DIRECTORY"):
            for cut in range(len(path)):
                below[path[:cut]].setdefault(file.file_set_id, file)
    return below


def _path(file: File) -> Place:
    """Return the full path of a file, equal for all paths that may refer to one file.

    Some file systems ignore case, so names that differ only in case may refer to one file.
    """
    path = "/".join(("", *parts(f"{file.directory_path}/{file.name}")))
    return parts(posixpath.normpath(path).casefold())
