"""The entries of iconik's menu that the plugin offers. Pure: no I/O."""

import shlex
from dataclasses import dataclass

from b2_iconik.domain.click import TITLES, USUAL_ACTIONS, Action
from b2_iconik.domain.keeping import in_words, parse_keep


@dataclass(frozen=True)
class Entry:
    """An entry of iconik's menu, whatever its context, storages and formats.

    Attributes:
        action: one of ``CLICKED_ACTIONS``.
        keep: how long Add keeps the assets on LucidLink, like '14d'; empty for no limit.
        keep_field: the metadata field that tells this for each click; empty for none.
    """

    action: Action
    keep: str = ""
    keep_field: str = ""

    @property
    def title(self) -> str:
        """The text of the entry."""
        time = "a while" if self.keep_field else self.kept_for
        return TITLES[self.action] + (f" for {time}" if time else "")

    @property
    def kept_for(self) -> str:
        """How long Add keeps the assets, or what tells this; empty for no limit."""
        if self.keep_field:
            return f"field '{self.keep_field}'"
        try:
            return in_words(parse_keep(self.keep)) if self.keep else ""
        except ValueError:
            # Somebody has edited the URL. The service refuses its clicks.
            return self.keep

    @property
    def option(self) -> str:
        """The option that has ``create_custom_actions.py`` create it; empty if it always does."""
        if self.keep_field:
            return f"--keep-field {shlex.quote(self.keep_field)}"
        if self.keep:
            return f"--keep {shlex.quote(self.keep)}"
        return "" if self.action in USUAL_ACTIONS else f"--{self.action}"


USUAL = tuple(Entry(action) for action in USUAL_ACTIONS)
PREVIEW = Entry("preview")
