"""The sizes of formats, and how they are displayed. Pure: no I/O.

Sizes are only shown. What proves a file safe compares exact sizes itself; see ``custody``.
"""

from collections.abc import Iterable, Sequence

from b2_iconik.domain.custody import wanted_formats
from b2_iconik.domain.matching import by_file_set, media
from iconik_http.records import File, Format

# In bytes. A larger number is nonsense, and databases could not add such numbers.
LARGEST = 2**53
UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB")


def in_units(size: int) -> str:
    """Format a number of bytes for display: '999 bytes', '1.5 KB', '20 GB'."""
    amount = float(size)
    for unit in UNITS[:-1]:
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:,.0f} {UNITS[-1]}"


def size_of(
    name: str, formats: Iterable[Format], files: Iterable[File], ll_storage_id: str
) -> int | None:
    """Return the size of a format of an asset.

    Args:
        formats, files: those of the asset, on all storages.

    Returns:
        The bytes of all its versions on LucidLink. If there are none, the bytes of its largest file
        set elsewhere, from which a copy would be made. None if neither is known.
    """
    wanted = wanted_formats(formats, name)
    ids = {each.id for each in wanted}
    active = [file for file in media(files) if file.format_id in ids and file.is_active]
    here = [file for file in active if file.storage_id == ll_storage_id]
    if here:
        sizes = [_total(here)]
    else:
        newest = [file for file in active if file.format_id == wanted[0].id]
        sizes = [_total(each) for each in by_file_set(newest).values()]
    largest = max(sizes, default=0)
    return largest if 0 < largest <= LARGEST else None


def _total(files: Sequence[File]) -> int:
    return sum(max(file.size or 0, 0) for file in files)
