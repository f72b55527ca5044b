"""Requests to iconik, with retries, tokens and pacing.

This module knows nothing about individual calls. ``iconik.py`` defines them.
"""

import copy
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from tenacity import RetryCallState, Retrying, nap, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from iconik_http import answers, expiry, http_limits
from iconik_http.answers import Passing
from iconik_http.errors import IconikUnavailable, NotFound, TooLate
from iconik_http.expiry import Reading
from iconik_http.pacing import Pacer
from iconik_http.paging import Map, PagedList
from iconik_http.server_clock import ServerClock
from iconik_http.tokens import Tokens

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
ATTEMPTS = 4
# iconik may briefly reject a valid token. It is given up after this many 401s to one request.
REJECTIONS = 4
# In seconds, between the first two of these 401s; doubled each time.
FIRST_WAIT = 0.5
LONGEST_WAIT = 20.0
TOO_LATE = "the request was delayed until its proof expired"


def open_session(
    url: str, app_id: str, connections: int = 16, session: requests.Session | None = None
) -> requests.Session:
    """Create a connection pool for iconik.

    Args:
        url, app_id: as in ``Transport``.
        connections: the maximum number of connections kept open.
        session: a session that observes requests; a plain one if not given.
    """
    session = session or requests.Session()
    session.headers["App-ID"] = app_id
    # Otherwise a .netrc file would add a password.
    session.auth = lambda request: request
    # A proxy from the environment is meant for external hosts, and would see plain http requests.
    session.trust_env = url.startswith("https:")
    # Operations of several users share the session, and a cookie may identify one of them.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount(url, http_limits.BoundedAdapter(pool_connections=1, pool_maxsize=connections))
    return session


@dataclass(frozen=True)
class _Request:
    """A request to iconik.

    Attributes:
        call, role, once, is_newer: as in ``Transport.object``.
        until: for a deletion, as in ``Transport.delete``.
        reading: records when it was sent. Once the reading has begun, the request is urgent.
        is_deed: whether an answer that lists errors is a refusal, as it is for a deletion.
    """

    method: str
    url: str
    call: str
    role: str
    params: Mapping[str, str] | None = None
    json: Any = None
    once: bool = False
    until: float | None = None
    reading: Reading | None = None
    is_deed: bool = False
    is_newer: bool = False


class Transport:
    """A client of iconik's API, for one application and its tokens.

    Args:
        url: scheme and host of iconik.
        app_id: the application's id, sent as App-ID.
        pacer: shared by all transports of a process.
        check: called right before each request, including repetitions, with whether it deletes
            files. It may raise an exception to stop the request.
        session: from ``open_session``; several transports may share it. A new one if not given.
        timeout: how long iconik may send nothing, in seconds; ``READ_TIMEOUT`` if not given.
        attempts: the maximum number of attempts while iconik has temporary problems.
        clock: hears iconik's time from all answers; shared like the pacer.
    """

    def __init__(
        self,
        url: str,
        app_id: str,
        tokens: Tokens,
        pacer: Pacer,
        check: Callable[[bool], None] = lambda deletes: None,
        *,
        session: requests.Session | None = None,
        timeout: float | None = None,
        attempts: int = ATTEMPTS,
        clock: ServerClock | None = None,
    ) -> None:
        self._timeout = timeout or READ_TIMEOUT
        self._attempts = attempts
        self._root = url
        self._api = f"{url}/API/"
        self._tokens = tokens
        self._is_known: Callable[[], bool] = lambda: True
        self._pacer = pacer
        self._clock = clock or ServerClock()
        self._check = check
        self._session = session or open_session(url, app_id)

    def limited(self, is_known: Callable[[], bool]) -> "Transport":
        """Return a transport that uses only the click's own token while ``is_known`` returns False.

        See ``Tokens``. It shares the connections.
        """
        same = copy.copy(self)
        same._is_known = is_known
        return same

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def delete(self, path: str, call: str, role: str, *, until: float | None = None) -> bool:
        """Delete an object. An object that is already gone (404) counts as deleted.

        Args:
            until: for files: send the request only once, and no later than this time by
                ``expiry.now``, because the deletion may not be safe after it.

        Returns:
            Whether the object existed.
        """
        try:
            self._send(_Request("DELETE", self._api + path, call, role, until=until))
        except NotFound:
            return False
        return True

    def delete_many(
        self,
        path: str,
        call: str,
        role: str,
        ids: Sequence[str],
        params: Mapping[str, str] | None = None,
        *,
        until: float,
    ) -> None:
        """Delete the files of several objects with one POST, sent only once.

        Not every version of iconik has such calls.

        Args:
            ids: the objects' ids, sent as the field ``ids``.
            until: as in ``delete``.
        """
        url, body = self._api + path, {"ids": list(ids)}
        self._send(_Request("POST", url, call, role, params, body, until=until, is_newer=True))

    def restore(self, path: str, call: str, role: str) -> None:
        """Undo the deletion of an object with a PUT."""
        self._send(_Request("PUT", self._api + path, call, role, is_deed=True))

    def object(
        self,
        method: str,
        path: str,
        call: str,
        role: str,
        json: Any = None,
        *,
        once: bool = False,
        is_newer: bool = False,
    ) -> dict[str, Any]:
        """Request one JSON object.

        Args:
            path: the path below the API's root.
            call: the call, for messages: 'read storage 1b9d…'.
            role: the role that iconik requires for the call, for messages.
            json: the request's body.
            once: send the request only once, because iconik may have received it even without an
                answer.
            is_newer: whether only newer versions of iconik have this call.
        """
        url = self._api + path
        answer = self._send(
            _Request(method, url, call, role, json=json, once=once, is_newer=is_newer)
        )
        if not isinstance(answer, dict):
            raise IconikUnavailable(call, "iconik's answer is not a JSON object")
        return answer

    def pages(
        self,
        path: str,
        call: str,
        role: str,
        params: Mapping[str, str] | None = None,
        side_by_side: Map = map,
    ) -> Iterator[dict[str, Any]]:
        """Yield every object of a list, page by page; see ``PagedList.read``.

        Args:
            side_by_side: requests the pages of a list that numbers them. It has the interface of
                ``map``, which requests one page after another.
        """
        return self._list(path, call, role, params).read(side_by_side)

    def whole(
        self,
        path: str,
        call: str,
        role: str,
        params: Mapping[str, str] | None = None,
        reading: Reading | None = None,
    ) -> list[dict[str, Any]]:
        """Return all objects of a list as evidence of what doesn't exist.

        See ``PagedList.read_whole``.

        Args:
            reading: records when each page was requested. Once it has begun, the remaining requests
                are urgent.
        """
        return self._list(path, call, role, params, reading).read_whole(reading or Reading())

    def _list(
        self,
        path: str,
        call: str,
        role: str,
        params: Mapping[str, str] | None,
        reading: Reading | None = None,
    ) -> PagedList:
        def ask(url: str, query: Mapping[str, str] | None) -> Any:
            return self._send(_Request("GET", url, call, role, query, reading=reading))

        return PagedList(ask, call, self._root, self._api + path, params or {})

    def _send(self, request: _Request) -> Any:
        """Return the JSON of an answer."""
        is_once = request.once or request.until is not None
        retrying = Retrying(
            retry=retry_if_exception_type(Passing),
            stop=stop_after_attempt(1 if is_once else self._attempts),
            wait=_wait,
            reraise=True,
        )
        try:
            return retrying(self._attempt, request)
        except Passing as passing:
            # Wait, so that this thread sends no further request earlier than iconik wants.
            if passing.retry_after:
                nap.sleep(min(passing.retry_after, LONGEST_WAIT))
            raise IconikUnavailable(request.call, passing.problem) from None

    def _attempt(self, request: _Request) -> Any:
        """Send one request, with each token in turn while iconik rejects them."""
        call, until, reading = request.call, request.until, request.reading
        rejections: Counter[str] = Counter()
        while True:
            token = self._tokens.current(call, is_known=self._is_known())
            grows_old = until is not None or (reading is not None and reading.pages > 0)
            sent = self._pacer.wait(is_urgent=grows_old)
            self._check(until is not None)
            connect, asked = min(CONNECT_TIMEOUT, self._timeout), expiry.now()
            if until is not None:
                # Checked last, and connecting must not take longer than the rest of the time.
                connect = min(connect, until - asked)
                if connect <= 0:
                    raise TooLate(call, TOO_LATE)
            try:
                with http_limits.sent_before(until):
                    response = self._session.request(
                        request.method,
                        request.url,
                        params=request.params,
                        json=request.json,
                        headers={"Auth-Token": token},
                        timeout=(connect, self._timeout),
                        allow_redirects=False,
                        stream=True,
                    )
                body = http_limits.read(response)
            except http_limits.Expired:
                raise TooLate(call, TOO_LATE) from None
            except requests.RequestException as error:
                raise Passing(http_limits.network_problem(error, "iconik")) from None
            self._clock.hear(response.headers.get("Date", ""), asked)
            self._keep_pace(response, sent)
            if response.status_code != requests.codes.unauthorized:
                answer = answers.read(response, body, call, request.role, is_newer=request.is_newer)
                if request.is_deed or until is not None:
                    answers.refuse_errors(response, answer, call)
                if reading is not None:
                    reading.add(asked)
                return answer
            # iconik did nothing, so even a deletion may be sent again.
            rejections[token] += 1
            if rejections[token] < REJECTIONS:
                nap.sleep(FIRST_WAIT * 2 ** (rejections[token] - 1))
            else:
                self._tokens.reject(token)

    def _keep_pace(self, response: requests.Response, sent: float) -> None:
        left = http_limits.number(response, "RateLimit-Remaining")
        says_when = False
        if response.status_code == requests.codes.too_many_requests:
            left, wait = -1, http_limits.number(response, "Retry-After")
            says_when = wait is not None
            self._pacer.pause(min(wait or 0, LONGEST_WAIT))
        if left is not None:
            self._pacer.heed(left, sent, says_when=says_when)


def _wait(state: RetryCallState) -> float:
    """Return the seconds until the next attempt: iconik's value, or an increasing time."""
    error = state.outcome.exception() if state.outcome else None
    longer = wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT)(state)
    asked = error.retry_after if isinstance(error, Passing) else None
    return longer if asked is None else min(asked, LONGEST_WAIT)
