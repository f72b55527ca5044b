"""iconik's assets, search, users, auth and settings APIs: what users select, and the users."""

import uuid

from flask import request

from simulator import checks, paging
from simulator.library import Listed
from simulator.listing_index import ListingIndex
from simulator.records import SYSTEM_DOMAIN_ID, USER_ID, Asset, Collection, Json
from simulator.refusals import bad_field, found
from simulator.routes import operation
from simulator.simulation import Simulation

COLLECTION = "/assets/v1/collections/<collection_id>"
OBJECT_TYPES = ("assets", "collections")

SEARCH: dict[str, checks.Check] = {
    "query": checks.text,
    "doc_types": checks.anything,
    "filter": checks.anything,
    "sort": checks.anything,
    "facets": checks.anything,
    "facets_filters": checks.anything,
    "include_fields": checks.anything,
    "exclude_fields": checks.anything,
    "search_fields": checks.anything,
    "search_after": checks.anything,
    "metadata_view_id": checks.id_,
}


class AssetsApi:
    """The operations on assets, collections, searches, users and the system settings."""

    def __init__(self, simulation: Simulation) -> None:
        self._library = simulation.library
        self._settings = simulation.settings
        self._rights = simulation.rights
        self._index = ListingIndex(simulation.settings)

    @operation("GET", "/assets/v1/assets/<asset_id>/", "can_read_assets")
    def get_asset(self, asset_id: str) -> Json:
        """Get an asset."""
        return found(self._library.assets.get(asset_id), "Asset").json()

    @operation("GET", f"{COLLECTION}/", "can_read_collections")
    def get_collection(self, collection_id: str) -> Json:
        """Get a collection."""
        return self._collection(collection_id).json()

    @operation("GET", f"{COLLECTION}/contents/", "can_read_collections")
    def list_contents(self, collection_id: str) -> Json:
        """Get the direct contents of a collection."""
        contents = self._collection(collection_id).contents
        types = request.args.get("object_types", ",".join(OBJECT_TYPES)).split(",")
        if not set(types) <= set(OBJECT_TYPES):
            raise bad_field("object_types", f"Must be of: {', '.join(OBJECT_TYPES)}.")
        ids = checks.query_ids("object_ids")
        hidden = self._rights.hidden_from(request.environ["simulator.token"])
        shown = [
            (each, kind)
            for each, kind in contents.items()
            if kind in types and (ids is None or each in ids) and each not in hidden
        ]
        return paging.numbered(shown, self._listed)

    @operation("GET", "/search/v1/search/saved/<search_id>/", "can_read_saved_searches")
    def run_saved_search(self, search_id: str) -> Json:
        """Get the results of a saved search."""
        listed = found(self._library.saved_searches.get(search_id), "Saved search")
        named = {"id": search_id, "name": self._library.names[search_id]}
        if request.args.get("include_results") == "false":
            return named
        return {**named, **paging.numbered(listed, self._found)}

    @operation("GET", "/assets/v1/playlists/<playlist_id>/", "can_read_playlists", newer=True)
    def get_playlist(self, playlist_id: str) -> Json:
        """Get a playlist."""
        found(self._library.playlists.get(playlist_id), "Playlist")
        return {"id": playlist_id, "title": self._library.names[playlist_id]}

    @operation("GET", "/assets/v1/playlists/<playlist_id>/items/", "can_read_playlists", newer=True)
    def list_playlist(self, playlist_id: str) -> Json:
        """Get the items of a playlist: assets and segments, each with an id of its own."""
        items = found(self._library.playlists.get(playlist_id), "Playlist")
        return paging.numbered(list(enumerate(items)), lambda item: _item(playlist_id, *item))

    @operation("POST", "/search/v1/search/", "can_search")
    def search(self) -> Json:
        """Search: ``query`` in titles, and terms on ``id``. Other filters are ignored."""
        wanted = checks.body(SEARCH)
        words = wanted.get("query", "").lower()
        types = wanted.get("doc_types") or list(OBJECT_TYPES)
        ids: list[str] | None = None
        for term in (wanted.get("filter") or {}).get("terms", ()):
            if term.get("name") == "id":
                ids = [str(term.get("value", "")), *(term.get("value_in") or ())]
        hidden = self._rights.hidden_from(request.environ["simulator.token"])
        matching = [
            (each, kind)
            for kind, records in (
                ("assets", self._library.assets),
                ("collections", self._library.collections),
            )
            if kind in types
            for each in (records if ids is None else dict.fromkeys(ids))
            if each in records and words in records[each].title.lower() and each not in hidden
        ]
        return {**paging.numbered(matching, self._listed), "facets": {}}

    @operation("GET", "/users/v1/users/current/")
    def get_current_user(self) -> Json:
        """Get the user that the token acts as."""
        return self._library.users[USER_ID].json()

    @operation("GET", "/users/v1/users/<user_id>/", "can_read_users", newer=True)
    def get_user(self, user_id: str) -> Json:
        """Get a user."""
        return found(self._library.users.get(user_id), "User").json()

    @operation("GET", "/auth/v1/auth/token/", newer=True)
    def check_token(self) -> Json:
        """Confirm that the token is valid: an invalid one doesn't get here."""
        return {"user_id": USER_ID, "system_domain_id": SYSTEM_DOMAIN_ID}

    @operation("GET", "/settings/v1/system/current/")
    def get_system_settings(self) -> Json:
        """Get the settings of the system domain."""
        checks.query_flag("ignore_logo_url")
        shown: Json = {"system_domain_id": SYSTEM_DOMAIN_ID}
        if self._settings.grace_period_shown:
            shown["delete_grace_period"] = self._settings.delete_grace_period
        return shown

    def _collection(self, collection_id: str) -> Collection:
        return found(self._library.collections.get(collection_id), "Collection")

    def _found(self, listed: Listed) -> Json:
        if listed.kind in OBJECT_TYPES:
            return self._listed((listed.id, listed.kind))
        return {"id": listed.id, "object_type": listed.kind, **listed.about}

    def _listed(self, one: tuple[str, str]) -> Json:
        """Return an asset or collection as in listings, even if it is gone: listings lag behind."""
        object_id, kind = one
        if kind == "collections":
            record: Asset | Collection | None = self._library.collections.get(object_id)
        else:
            record = self._library.assets.get(object_id)
        if record is None:
            return {"id": object_id, "title": "Gone", "status": "ACTIVE", "object_type": kind}
        return record.json() if isinstance(record, Collection) else self._index.show(record)


def _item(playlist_id: str, position: int, listed: Listed) -> Json:
    """Return an item of a playlist as iconik's PlaylistItemSchema."""
    item_id = str(uuid.uuid5(uuid.UUID(playlist_id), str(position)))
    return {"id": item_id, "object_id": listed.id, "object_type": listed.kind, **listed.about}
