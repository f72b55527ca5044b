"""The behavior of the simulated iconik. All settings can be changed while it runs."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Settings:
    """The settings.

    Attributes:
        latency_ms: the minimum duration of every API request.
        rate_limit, rate_window: the number of requests allowed in a number of seconds; beyond it,
            the answer is 429.
        retry_after: whether a 429 says when to retry.
        none_left: whether every answer says that no request is left, though none is refused.
        upper_case_ids: whether answers have ids in upper case.
        copy_seconds: the duration of a copy of one asset.
        copies_at_once: the number of assets copied concurrently.
        copies_paused: whether the Storage Gateway is offline, so that copies wait.
        down: whether every API request loses its connection without an answer.
        hang_seconds: how long every API request waits before it is processed.
        bulk_deletion: whether the newer ways to delete exist.
        listing_hints: whether listings include the formats and files of their assets.
        listing_lag_seconds: how long listings continue to show an asset as before a change.
        poor_hints: whether listings leave out the fields that some versions of iconik leave out.
        wrong_hints: whether listings show wrong formats and files.
        deleted_files_listed: whether files of deleted, unpurged file sets are listed.
        purge_takes_shared: whether a purge removes a real file that an active file set of the same
            asset also uses.
        delete_grace_period: how many hours a deleted file set stays in the delete queue before it
            is purged.
        grace_period_shown: whether iconik's system settings include that number.
        clock_ahead_seconds: how far iconik's clock is ahead of the machine's; negative if behind.
        date_header: whether answers have the header ``Date``.
        signed_urls: whether the account offers signed URLs of files in buckets.
        urls_by_default: whether lists of files include them if the request does not say.
        signed_url_seconds: how long a signed URL is valid.
        all_versions: whether lists of formats support ``include_all_versions``.
        bucket_latency_ms: the minimum duration of a request to a bucket.
        bucket_rate_limit: the number of requests to all buckets allowed per second; beyond it, the
            answer is 429 or 503.
        click_timeout: the seconds that a custom action's receiver has to answer.
    """

    latency_ms: float = 0.0
    rate_limit: int = 1000
    rate_window: float = 20.0
    retry_after: bool = False
    none_left: bool = False
    upper_case_ids: bool = False
    copy_seconds: float = 1.0
    copies_at_once: int = 10
    copies_paused: bool = False
    down: bool = False
    hang_seconds: float = 0.0
    bulk_deletion: bool = False
    listing_hints: bool = False
    listing_lag_seconds: float = 0.0
    poor_hints: bool = False
    wrong_hints: bool = False
    deleted_files_listed: bool = True
    purge_takes_shared: bool = True
    delete_grace_period: int = 24
    grace_period_shown: bool = True
    clock_ahead_seconds: float = 0.0
    date_header: bool = True
    signed_urls: bool = True
    urls_by_default: bool = True
    signed_url_seconds: float = 3600.0
    all_versions: bool = True
    bucket_latency_ms: float = 0.0
    bucket_rate_limit: int = 500
    click_timeout: float = 10.0

    def json(self) -> dict[str, Any]:
        """Return all settings."""
        return asdict(self)

    def change(self, changes: dict[str, Any]) -> None:
        """Change some settings, or none if one of them is invalid.

        Raises:
            ValueError: a setting is unknown or of the wrong type; the message names it.
        """
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ValueError(f"{name}: no such setting")
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            in_range = number and (value >= 0 or name == "clock_ahead_seconds")
            fits = isinstance(value, bool) if kinds[name] is bool else in_range
            if not fits:
                raise ValueError(f"{name}: not a value of type {kinds[name].__name__}")
        for name, value in changes.items():
            setattr(self, name, kinds[name](value))
