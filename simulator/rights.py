"""Which tokens may see which assets, and whether a deletion respects that."""

from collections import defaultdict
from collections.abc import Iterable

from simulator.gate import Token


class Rights:
    """Each user sees every asset that isn't hidden from them. The application sees all assets."""

    def __init__(self) -> None:
        self._hidden: dict[str, frozenset[str]] = {}
        self._read_by: defaultdict[str, set[str]] = defaultdict(set)

    def hide(self, user_id: str, asset_ids: Iterable[str]) -> None:
        """Hide these assets from a user, and no others."""
        self._hidden[user_id] = frozenset(asset_ids)

    def may_see(self, token: Token, object_id: str) -> bool:
        """Return whether a token may see an object."""
        return object_id.lower() not in self.hidden_from(token)

    def hidden_from(self, token: Token) -> frozenset[str]:
        """Return the ids of the objects that a token may not see."""
        return self._hidden.get(token.user_id or "", frozenset())

    def note_reading(self, token: Token, asset_id: str) -> None:
        """Record that a token has read the files of an asset."""
        if token.user_id is not None:
            self._read_by[asset_id].add(token.user_id)

    def may_delete(self, token: Token, asset_id: str) -> bool:
        """Return whether a token may delete or restore files of an asset.

        The application acts for users. If an asset is hidden from any user, the application may
        delete its files only after a user's token has read them.
        """
        if token.user_id is not None:
            return self.may_see(token, asset_id)
        is_hidden = any(asset_id in hidden for hidden in self._hidden.values())
        return not is_hidden or bool(self._read_by[asset_id])
