"""Compare a copy with its source. Pure: no I/O.

A finished copy job does not prove that the copy is complete: a truncated file looks finished too.
"""

from collections.abc import Iterable, Iterator, Sequence

from b2_iconik.domain import reasons
from b2_iconik.domain.checksums import checksum, compare
from b2_iconik.domain.custody import is_whole
from b2_iconik.domain.matching import ReplicaSet, SourceSet, by_file_set, media, name_of
from b2_iconik.domain.reasons import Reason
from b2_iconik.domain.sizes import in_units
from iconik_http.records import GROWING, UNFINISHED, File


def shortfall(format_id: str, files: Iterable[File], storage_id: str) -> Reason:
    """Find how an apparently finished copy of a format to a storage differs from its source.

    Args:
        files: all files of the asset, on all storages.

    Returns:
        The first difference, and the files that differ in the same way. Empty if a complete file
        set on the storage matches its source, or if there is no source to compare with.
    """
    mine = [file for file in media(files) if file.format_id == format_id and file.is_active]
    sets = by_file_set(mine).values()
    copies = [each for each in sets if each[0].storage_id == storage_id and is_whole(each)]
    sources = [each for each in sets if each[0].storage_id != storage_id and is_whole(each)]
    found = [(sorted(_differences(source, copy)), source) for source in sources for copy in copies]
    # Assume that the copy was made from the source with the fewest differences.
    fewest, source = min(found, key=lambda each: (len(each[0]), each[0]), default=([], []))
    if not fewest:
        return reasons.NO_REASON
    alike = [str(each.values["name"]) for each in fewest if each.sentence == fewest[0].sentence]
    others = len(fewest) - len(alike)
    told = reasons.about_all(fewest[0], alike, [file.label for file in source])
    return told + (f" (and {others:,} more with other differences)" if others else "")


def unfinished(format_id: str, files: Iterable[File], storage_id: str) -> Reason:
    """Tell which files of a format are being written on a storage, growing ones first.

    Args:
        files: all files of the asset, on all storages.

    Returns:
        The begin of a sentence that continues with 'for 12 min'.
    """
    here = [
        file
        for file in media(files)
        if file.format_id == format_id and file.is_active and file.storage_id == storage_id
    ]
    growing = [file for file in here if file.status == GROWING]
    some = growing or [file for file in here if file.status in UNFINISHED]
    first = min(some, key=lambda file: (file.label, file.status))
    sentence = reasons.GROWING if growing else reasons.UNFINISHED_HERE
    told = sentence(name=first.label, status=first.status)
    return reasons.about_all(told, [file.label for file in some], [file.label for file in here])


def _differences(source: Sequence[File], copy: Sequence[File]) -> Iterator[Reason]:
    source_set, replica_set = SourceSet("", source), ReplicaSet(copy)
    names = {name_of(file) for file in copy}
    for relative_file, arrived in zip(
        source_set.relative_files, replica_set.twins(source_set), strict=True
    ):
        differences = [_difference(relative_file.file, each) for each in arrived]
        if differences and all(differences):
            yield differences[0]
        # The copy of a sequence may be listed as individual frames.
        elif (
            not arrived
            and relative_file.file.type == "FILE"
            and name_of(relative_file.file) not in names
        ):
            yield reasons.NOT_ARRIVED(name=relative_file.file.label)


def _difference(source: File, copy: File) -> Reason:
    """Return how a file differs from its source; empty if no difference is known."""
    some, whole = copy.size or 0, source.size or 0
    if some < whole:
        part, all_of_it = _told_apart(some, whole)
        return reasons.ARRIVED_IN_PART(name=source.label, here=part, there=all_of_it)
    if some > whole:
        more, less = _told_apart(some, whole)
        return reasons.ARRIVED_LARGER(name=source.label, here=more, there=less)
    found = compare(checksum(source), checksum(copy))
    if found not in ("different", "unclear"):
        return reasons.NO_REASON
    unless = "" if found == "different" else ", if both use the same algorithm"
    return reasons.ARRIVED_OTHERWISE(
        name=source.label, here=copy.checksum, there=source.checksum, unless=unless
    )


def _told_apart(one: int, other: int) -> tuple[str, str]:
    """Format two sizes, in bytes if their rounded forms are equal."""
    told = in_units(one), in_units(other)
    return told if told[0] != told[1] else (f"{one:,} bytes", f"{other:,} bytes")
