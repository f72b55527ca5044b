"""Name many files in few words: the frames of an image sequence by their numbers. Pure: no I/O."""

from collections.abc import Iterator, Sequence

# The endings of still images. The numbers of other files, such as clips, are no frame numbers.
STILLS = frozenset((
    "ari", "arx", "bmp", "cin", "dng", "dpx", "exr", "hdr", "j2c", "j2k", "jp2", "jpeg", "jpg",
    "pic", "png", "rla", "sgi", "tga", "tif", "tiff", "webp",
))  # fmt: skip
DIGITS = "0123456789"
# A longer number is no frame number, and Python may refuse to read it.
LONGEST_NUMBER = 18
NAMES_SHOWN = 3
RANGES_SHOWN = 8


def described(some: Sequence[str], every: Sequence[str]) -> tuple[str, str]:
    """Describe some of the files of a file set.

    Args:
        some: the names of the files to describe.
        every: the names of all files of the file set.

    Returns:
        Their number, '4 of 300 frames', and their names in parentheses after a space,
        ' (1013–1015, 1200)'. All files of a file set need no names.
    """
    noun = "files" if _frames(every) is None else "frames"
    if len(some) == len(every):
        return f"{'both' if len(every) == 2 else f'all {len(every):,}'} {noun}", ""
    frames = _frames(some)
    if frames is None:
        names = sorted(set(some))
    else:
        names = list(_ranges(frames))
        names[0] = names[0] if noun == "frames" else f"frames {names[0]}"
    shown = NAMES_SHOWN if frames is None else RANGES_SHOWN
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return f"{len(some):,} of {len(every):,} {noun}", f" ({', '.join(names[:shown])}{more})"


def _frames(names: Sequence[str]) -> set[str] | None:
    """Return the frame numbers in some names; None unless they differ only in these."""
    patterns, numbers = set[tuple[str, str]](), set[str]()
    for name in names:
        rest, _, ending = name.rpartition(".")
        stem = rest.rstrip(DIGITS)
        numbers.add(rest[len(stem) :])
        patterns.add((stem, ending))
    is_sequence = len(patterns) == 1 and all(ending.lower() in STILLS for _, ending in patterns)
    has_numbers = all(0 < len(number) <= LONGEST_NUMBER for number in numbers)
    return numbers if is_sequence and has_numbers else None


def _ranges(numbers: set[str]) -> Iterator[str]:
    """Yield the ranges of consecutive numbers: '1013–1015', then '1200'."""
    first = last = ""
    for number in sorted(numbers, key=lambda each: (int(each), each)):
        if last and int(number) != int(last) + 1:
            yield _range(first, last)
            first = ""
        first, last = first or number, number
    yield _range(first, last)


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first}–{last}"
