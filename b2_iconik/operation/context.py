"""What one operation works with, and what it shares with others."""

from collections.abc import Callable
from dataclasses import dataclass, field

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import Share
from b2_iconik.domain.click import CustomAction
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.storages import Checks
from b2_iconik.operation.together import Together
from iconik import Iconik
from iconik_http.records import Job, Listed


@dataclass
class Shared:
    """What the operations of one token, in one term, share to send fewer requests."""

    checks: Checks = field(default_factory=Checks)
    searches: Together[Listed] = field(default_factory=Together)
    jobs: Together[Job] = field(default_factory=Together)


@dataclass(frozen=True)
class Context:
    """What one operation works with. It outlives a failure of the database.

    Attributes:
        searching: an ``Iconik`` that tries once, and not for long.
        bucket: B2 itself.
        shared: what it shares with the other operations of its token.
        pool: threads for requests.
        iconik_ms: as in ``Claims``.
    """

    operation_id: str
    click: CustomAction
    leadership: Leadership
    settings: Settings
    iconik: Iconik
    searching: Iconik
    capabilities: DeletionCapabilities
    bucket: Bucket
    shared: Shared
    pool: Share
    iconik_ms: Callable[[], int | None] = lambda: None
