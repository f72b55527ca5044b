"""Holding back clients that give wrong secrets: the same for all processes, and bounded."""

import ipaddress
from collections.abc import Sequence

import sqlalchemy as sa

from database import writing
from tables import refusals

MOST_FAILURES = 10
PERIOD_MS = 600_000
# Beyond that, those that failed first are forgotten first.
MOST_CLIENTS = 10_000
# One customer of a provider has so much of IPv6 at least.
IPV6_PREFIX = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Throttle:
    """Counts failures by client, in the service's database.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` when the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def seconds_left(self, client: str, now_ms: int) -> int:
        """How long a client is still refused, whatever it gives; 0 if it isn't."""
        found = sa.select(refusals.c.since_ms).where(
            refusals.c.client == client,
            refusals.c.failures >= MOST_FAILURES,
            _is_recent(now_ms),
        )
        with self._engine.connect() as connection:
            since = connection.execute(found).scalar()
        return 0 if since is None else -(-(since + PERIOD_MS - now_ms) // 1000)

    def note_failure(self, client: str, now_ms: int) -> None:
        """Count a wrong secret."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(refusals).where(~_is_recent(now_ms)))
            counted = connection.execute(
                sa.update(refusals)
                .where(refusals.c.client == client)
                .values(failures=refusals.c.failures + 1)
            )
            if counted.rowcount:
                return
            number = sa.select(sa.func.count()).select_from(refusals)
            if connection.execute(number).scalar_one() >= MOST_CLIENTS:
                oldest = sa.select(sa.func.min(refusals.c.since_ms)).scalar_subquery()
                connection.execute(sa.delete(refusals).where(refusals.c.since_ms == oldest))
            connection.execute(
                sa.insert(refusals).values(client=client, since_ms=now_ms, failures=1)
            )


def client_of(peer: str, forwarded_for: str, proxies: Sequence[Network]) -> str:
    """Who a request is from, as far as that can be believed.

    Args:
        peer: the address of the connection's other end; "" for a Unix socket's.
        forwarded_for: the header X-Forwarded-For. Its last address is believed if the other end is
            a proxy's or a Unix socket's; anybody else may have made it up.
        proxies: where proxies are.

    Returns:
        An IPv4 address, or an IPv6 network; all that is neither is 'unknown'.
    """
    if peer and not _is_in(proxies, peer):
        return _network(peer)
    return _network(forwarded_for.rpartition(",")[2].strip() or peer)


def _is_recent(now_ms: int) -> sa.ColumnElement[bool]:
    # Not of a time to come either: the clock may have been set back.
    return refusals.c.since_ms.between(now_ms - PERIOD_MS + 1, now_ms)


def _is_in(networks: Sequence[Network], address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return any((mapped or parsed) in network for network in networks)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), IPV6_PREFIX), strict=False))
