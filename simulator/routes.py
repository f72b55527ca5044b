"""Turn the operations of an API into Flask routes, with their roles, ids and JSON."""

import json
from collections.abc import Callable
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from flask import Blueprint, Response, request

from simulator.checks import is_id
from simulator.refusals import Refusal

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Operation(NamedTuple):
    """One operation. ``path`` is in Flask's form; ``roles`` are those a token needs."""

    method: str
    path: str
    roles: tuple[str, ...]
    newer: bool


def operation(
    method: str, path: str, *roles: str, newer: bool = False
) -> Callable[[Handler], Handler]:
    """Mark a method as an operation; ``newer`` ones are not in what iconik has published."""

    def mark(handler: Handler) -> Handler:
        vars(handler)["operation"] = Operation(method, path, roles, newer)
        return handler

    return mark


def operations(room: object) -> list[tuple[Operation, Callable[..., Any]]]:
    """Return the operations among the methods of an object."""
    methods = (getattr(room, name) for name in vars(type(room)))
    return [(each.operation, each) for each in methods if hasattr(each, "operation")]


def blueprint(name: str, prefix: str, lock: RLock, *rooms: object) -> Blueprint:
    """Create the routes of all operations. Each operation runs with the lock held."""
    api = Blueprint(name, __name__, url_prefix=prefix)
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


def answer(body: Any, status: int = 200) -> Response:
    """Create a JSON answer, or a 204 without a body."""
    if body is None:
        return Response(status=204)
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, content_type="application/json")


def _view(op: Operation, handler: Callable[..., Any], lock: RLock) -> Callable[..., Response]:
    def view(**values: str) -> Response:
        _check_roles(op)
        for name, value in values.items():
            if name.endswith("_id"):
                if not is_id(value):
                    raise Refusal(404, [f"{name} is not a valid UUID"])
                values[name] = value.lower()
        with lock:
            result = handler(**values)
            return answer(*result) if isinstance(result, tuple) else answer(result)

    return view


def _check_roles(op: Operation) -> None:
    # The simulator's own API needs no token, and so no roles.
    roles = request.environ["simulator.token"].roles if op.roles else None
    missing = [role for role in op.roles if roles is not None and role not in roles]
    if missing:
        raise Refusal(403, [f"Required roles: {', '.join(missing)}"])
