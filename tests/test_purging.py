"""How many marked file sets wait to be purged together."""

from claims import Held
from custody import Safe
from purging import Marked
from sight import Look
from tables import Memo


def an_asset(name: str, file_sets: int) -> tuple[Held, Look]:
    """An asset with file sets that are marked deleted."""
    marked = {f"{name}-{n}": Safe(f"{name}-{n}", "twin", False) for n in range(file_sets)}
    return Held(name, ("ORIGINAL",), Memo()), Look(marked=marked)


def test_few_wait_for_more() -> None:
    marked = Marked(4)
    assert marked.add(*an_asset("a", 3)) == []


def test_enough_are_purged_together_whatever_assets_they_are_of() -> None:
    marked, first, second = Marked(4), an_asset("a", 3), an_asset("b", 1)
    marked.add(*first)
    assert marked.add(*second) == [first, second]
    assert marked.rest() == []


def test_what_is_left_is_told_once() -> None:
    marked, only = Marked(4), an_asset("a", 1)
    marked.add(*only)
    assert marked.rest() == [only]
    assert marked.rest() == []
