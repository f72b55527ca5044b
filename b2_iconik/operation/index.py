"""iconik's search index, which shows up to a hundred assets per request, as far as it helps.

It lags, and may leave out any asset and any field. It saves requests; no deletion is proven by it.
"""

from collections.abc import Sequence

from b2_iconik.operation.deletion import OptionalCall
from b2_iconik.operation.together import Together
from iconik import Iconik
from iconik_http.errors import IconikRefused
from iconik_http.records import Listed


class Index:
    """Finds assets for one operation. Only the click's own token is used.

    Args:
        iconik: should try a search only once, and not for long: others can do without it.
        search: remembers whether iconik offers the search to this token, and shows files.
        together: joins the searches of several operations.
    """

    def __init__(self, iconik: Iconik, search: OptionalCall, together: Together[Listed]) -> None:
        self._iconik = iconik.limited(lambda: False)
        self._search = search
        self._together = together

    @property
    def is_lacking(self) -> bool:
        """Whether the index is known not to help."""
        return self._search.is_lacking

    def find(self, asset_ids: Sequence[str]) -> dict[str, Listed]:
        """Find at most ``MOST`` assets, by id. Those that are not found may exist nevertheless.

        Raises:
            IconikUnavailable: iconik gave no usable answer.
            TokenRejected: iconik no longer accepts any token.
        """
        if self.is_lacking or not asset_ids:
            return {}
        try:
            found = self._together.ask(asset_ids, self._ask)
        except IconikRefused as refusal:
            self._search.found(False, refusal)
            return {}
        if found:
            files = (file for each in found.values() for file in each.files)
            self._search.found(any(file.file_set_id for file in files), "it lists no files")
        return {each: found[each] for each in asset_ids if each in found}

    def _ask(self, asset_ids: Sequence[str]) -> dict[str, Listed]:
        return {each.id: each for each in self._iconik.search_assets(asset_ids)}
