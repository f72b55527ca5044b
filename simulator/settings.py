"""How the simulated iconik behaves; all of it can be changed while it runs."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Settings:
    """The switches.

    Attributes:
        latency_ms: how long every API request takes at least.
        rate_limit, rate_window: so many requests in any so many seconds, then 429.
        retry_after: whether a 429 says when to come again.
        none_left: whether every answer says that no request is left, though none is refused.
        upper_case_ids: whether answers have ids in upper case.
        copy_seconds: how long a copy of one asset takes; copy_bytes_per_second (0: any speed) adds
            to it by size.
        copies_at_once: how many assets are copied at a time.
        copies_paused: the Storage Gateway is offline: copies wait.
        down: every API request loses its connection without an answer.
        hang_seconds: every API request waits that long before it is looked at.
        bulk_deletion: whether the newer ways to delete exist.
        listing_hints: whether listings tell formats and files of their assets.
        deleted_files_listed: whether files of deleted, not yet purged file sets are listed.
        purge_takes_shared: whether a purge removes a real file that an active file set of the same
            asset uses, too.
        signed_urls: whether the account offers signed URLs of files in buckets.
        urls_by_default: whether lists of files have them where the request does not say.
        signed_url_seconds: how long a signed URL is valid.
        all_versions: whether lists of formats know ``include_all_versions``.
        bucket_latency_ms: how long a request to a bucket takes at least.
        bucket_rate_limit: requests to all buckets in any second, then 429 or 503.
        click_timeout: seconds a custom action's receiver has to answer.
    """

    latency_ms: float = 0.0
    rate_limit: int = 1000
    rate_window: float = 20.0
    retry_after: bool = False
    none_left: bool = False
    upper_case_ids: bool = False
    copy_seconds: float = 1.0
    copy_bytes_per_second: float = 0.0
    copies_at_once: int = 10
    copies_paused: bool = False
    down: bool = False
    hang_seconds: float = 0.0
    bulk_deletion: bool = False
    listing_hints: bool = False
    deleted_files_listed: bool = True
    purge_takes_shared: bool = False
    signed_urls: bool = True
    urls_by_default: bool = True
    signed_url_seconds: float = 3600.0
    all_versions: bool = True
    bucket_latency_ms: float = 0.0
    bucket_rate_limit: int = 500
    click_timeout: float = 10.0

    def json(self) -> dict[str, Any]:
        """All of them."""
        return asdict(self)

    def change(self, changes: dict[str, Any]) -> None:
        """Change some, or none if one of them makes no sense.

        Raises:
            ValueError: with the name of the setting that is unknown or of the wrong type.
        """
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ValueError(f"{name}: no such setting")
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            fits = isinstance(value, bool) if kinds[name] is bool else number and value >= 0
            if not fits:
                raise ValueError(f"{name}: not a value of type {kinds[name].__name__}")
        for name, value in changes.items():
            setattr(self, name, kinds[name](value))
