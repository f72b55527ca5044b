"""Users who click, the assets that they click on, and what may go wrong meanwhile."""

import re
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dev.harness import Simulator

FORMATS = ("ORIGINAL", "PPRO_PROXY")
# The initial storage of each asset, the users who click on it, and those of them who may see it.
KINDS = (
    ("b2", "Ada Ben", "Ada Ben"),
    ("both", "Ben", ""),
    ("lucidlink", "Ada Ben", "Ada"),
    ("both", "Ada Ben", "Ada Ben"),
)
PEOPLE = ("Ada", "Ben")


class Click(NamedTuple):
    """What a kind of click does.

    Attributes:
        often: its relative frequency.
        leaves: whether the assets are on LucidLink afterwards; None if it changes nothing.
        on: for a button, the action of the operations that have it on their pages.
        keep: for how long an Add keeps the assets there; "" for no limit.
    """

    often: int
    leaves: bool | None
    on: str = ""
    keep: str = ""


# For how long some assets are kept on LucidLink.
KEEP, KEEP_SECONDS = "1m", 60
# The custom actions in iconik, and the buttons on the pages of ended operations.
CLICKS = {
    "add": Click(12, True),
    "add for a while": Click(10, True, keep=KEEP),
    "remove": Click(16, False),
    "preview": Click(8, None),
}
BUTTONS = {"remove": Click(8, False, on="preview"), "undo": Click(12, True, on="remove")}
# What an operation may send to iconik that changes nothing but the job that shows it. Searches are
# posted, too.
HARMLESS = re.compile("GET |POST /API/search/|(POST|PATCH) /API/jobs/v1/jobs/")
ODD_STATUSES = (302, 401, 409, 423, 425, 499, 520, 522, 524, 529)
# Temporary faults of requests to iconik.
MISCHIEF = (
    {"fault": "status:503"},
    {"fault": "status:500", "times": 3},
    {"fault": "status:502", "method": "DELETE", "after": True},
    {"fault": "429", "times": 2, "retry_after": 1},
    {"fault": "reset"},
    {"fault": "reset", "method": "DELETE", "after": True},
    {"fault": "reset", "method": "POST", "after": True},
    {"fault": "cut", "method": "GET"},
    {"fault": "html", "method": "GET"},
    {"fault": "broken_json", "times": 2},
    {"fault": "hang:1", "method": "DELETE", "after": True},
    {"fault": "hang:1", "method": "POST", "after": True},
    # Unusual statuses, none of which is a final refusal by iconik itself.
    *({"fault": f"status:{status}"} for status in ODD_STATUSES),
    *({"fault": f"html:{status}", "after": True} for status in (302, 403, 404, 405, 410, 501)),
)
# Faults of copies.
MISHAPS = (
    "FAILED",
    "ABORTED",
    "SKIPPED",
    "DISCARDED",
    "finish_without_file",
    "wrong_size",
    "wrong_content",
)
# Changes to an object in the bucket that iconik doesn't see. Replacing an object by another of the
# same size is not among them: only an application key can detect that, and the plugin has none
# here.
DAMAGES: tuple[dict[str, str | int], ...] = (
    {"do": "remove"},
    {"do": "hide"},
    {"do": "truncate", "size": 200},
    {"do": "truncate", "size": 0},
)


@dataclass
class Tally:
    """Counts of what has happened so far."""

    answered: int = 0
    previews: int = 0
    pressed: Counter[str] = field(default_factory=Counter)
    due: int = 0
    refused: int = 0
    kills: int = 0
    faults: int = 0
    stops: int = 0
    edits: int = 0
    expired: int = 0
    damages: Counter[str] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)


class Person:
    """A user who clicks, and may not see every asset.

    Attributes:
        id: the user's id in iconik.
        token: the token of the user's clicks; replaced once it expires.
    """

    def __init__(self, simulator: Simulator, hidden: Iterable[str]) -> None:
        self._simulator = simulator
        self.id, self.token = str(uuid.uuid4()), ""
        simulator.control("PUT", f"users/{self.id}/hidden", {"asset_ids": list(hidden)})
        self.log_in()

    def log_in(self) -> None:
        """Get a new token, and revoke the previous one."""
        if self.token:
            self._simulator.control("DELETE", f"tokens/{self.token}")
        self.token = self.another_token()

    def another_token(self) -> str:
        """Get a token of the same user that never expires."""
        return str(self._simulator.control("POST", "tokens", {"user_id": self.id})["token"])
