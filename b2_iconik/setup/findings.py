"""What ``check_setup.py`` finds: a line for each thing that was looked at. Pure."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "wrong", "note", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: the thing.
        state: whether it is ``ok`` or ``wrong``; a ``note`` is no fault; ``unknown`` could not be
            checked.
        detail: what was seen, or what to do about it.
    """

    what: str
    state: State
    detail: str

    @property
    def line(self) -> str:
        """It as a person reads it."""
        return f"{self.state:<7}  {self.what}: {self.detail}"

    @property
    def json(self) -> dict[str, Any]:
        """It as a program reads it."""
        return asdict(self)


def ok(what: str, detail: str) -> Finding:
    """It is as it should be."""
    return Finding(what, "ok", detail)


def wrong(what: str, detail: str) -> Finding:
    """It is not as it should be; the detail says what to do."""
    return Finding(what, "wrong", detail)


def note(what: str, detail: str) -> Finding:
    """It may be as it should be, and is good to know."""
    return Finding(what, "note", detail)


def unknown(what: str, detail: str) -> Finding:
    """It can't be told how it is; the detail says why."""
    return Finding(what, "unknown", detail)
