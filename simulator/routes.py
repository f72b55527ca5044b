"""Turn the operations of the API into Flask routes, with their roles, ids and JSON."""

import json
from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from flask import Blueprint, Response, request

from simulator.checks import is_id
from simulator.refusals import Refusal

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Operation(NamedTuple):
    """One operation. ``path`` is in Flask's form, below /API; ``roles`` are those a token needs."""

    method: str
    path: str
    roles: tuple[str, ...]
    newer: bool


def operation(
    method: str, path: str, *roles: str, newer: bool = False
) -> Callable[[Handler], Handler]:
    """Mark a method as an operation of the API; ``newer`` ones are not in the published part."""

    def mark(handler: Handler) -> Handler:
        vars(handler)["operation"] = Operation(method, path, roles, newer)
        return handler

    return mark


def operations(room: object) -> list[tuple[Operation, Callable[..., Any]]]:
    """Return the operations among the methods of an object."""
    methods = (getattr(room, name) for name in vars(type(room)))
    return [(each.operation, each) for each in methods if hasattr(each, "operation")]


def blueprint(lock: RLock, *rooms: object) -> Blueprint:
    """Create the routes of all operations below /API. Each operation runs with the lock held."""
    api = Blueprint("api", __name__, url_prefix="/API")
    for room in rooms:
        for op, handler in operations(room):
            api.add_url_rule(
                op.path,
                endpoint=f"{op.method} {op.path}".replace(".", "_"),
                view_func=_view(op, handler, lock),
                methods=[op.method],
                provide_automatic_options=False,
            )
    return api


def control(
    name: str, prefix: str, lock: RLock, calls: Iterable[tuple[str, str, Callable[..., Any]]]
) -> Blueprint:
    """Create the routes of calls of the simulator's own API: method, path and handler of each.

    Each call runs with the lock held.
    """
    own = Blueprint(name, __name__, url_prefix=f"/_simulator{prefix}")
    for method, path, handler in calls:
        endpoint = f"{method} {handler.__name__}"
        own.add_url_rule(path, endpoint, _answering(handler, lock), methods=[method])
    return own


def answer(body: Any, status: int = 200) -> Response:
    """Create a JSON answer, or a 204 without a body."""
    if body is None:
        return Response(status=204)
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, content_type="application/json")


def _view(op: Operation, handler: Callable[..., Any], lock: RLock) -> Callable[..., Response]:
    answered = _answering(handler, lock)

    def view(**values: str) -> Response:
        roles = request.environ["simulator.token"].roles
        missing = [role for role in op.roles if roles is not None and role not in roles]
        if missing:
            raise Refusal(403, [f"Required roles: {', '.join(missing)}"])
        for name, value in values.items():
            if name.endswith("_id"):
                if not is_id(value):
                    raise Refusal(404, [f"{name} is not a valid UUID"])
                values[name] = value.lower()
        return answered(**values)

    return view


def _answering(handler: Callable[..., Any], lock: RLock) -> Callable[..., Response]:
    """Run a handler with the lock held, and answer its result: a body, or a body and a status."""

    def view(**values: str) -> Response:
        with lock:
            result = handler(**values)
            return answer(*result) if isinstance(result, tuple) else answer(result)

    return view
