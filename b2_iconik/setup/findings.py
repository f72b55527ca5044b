"""The findings of ``check_setup.py``: one line per check. Pure: no I/O."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "wrong", "note", "unknown"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        what: the subject of the check.
        state: ``ok``, ``wrong``, ``note`` for information that is not a fault, or ``unknown`` if it
            could not be checked.
        detail: what was found, or what to do about it.
    """

    what: str
    state: State
    detail: str

    @property
    def line(self) -> str:
        """The finding as a line for people."""
        return f"{self.state:<7}  {self.what}: {self.detail}"


def ok(what: str, detail: str) -> Finding:
    """The subject is correct."""
    return Finding(what, "ok", detail)


def wrong(what: str, detail: str) -> Finding:
    """The subject is not correct. The detail says what to do."""
    return Finding(what, "wrong", detail)


def note(what: str, detail: str) -> Finding:
    """The subject may be correct. The detail is useful information."""
    return Finding(what, "note", detail)


def unknown(what: str, detail: str) -> Finding:
    """The subject could not be checked. The detail says why."""
    return Finding(what, "unknown", detail)
