"""Errors of requests to iconik. No error contains a token or a signed URL."""


class IconikError(Exception):
    """A call to iconik failed.

    Args:
        call: a description of the call for people: 'list the files of asset 1b9d…'.
        problem: what iconik returned, as the rest of a sentence.
    """

    def __init__(self, call: str, problem: str) -> None:
        super().__init__(call, problem)
        self.call = call
        self.problem = problem

    def __str__(self) -> str:
        return f"could not {self.call}: {self.problem}"


class IconikUnavailable(IconikError):
    """iconik gave no usable answer. The same call may succeed later."""


class Incomplete(IconikUnavailable):
    """A list holds fewer objects than it declares, in every reading. It is no evidence."""


class TooLate(IconikUnavailable):
    """The request was not sent: the evidence that justified it has expired."""


class TokenRejected(IconikError):
    """No token is valid any more (401), so iconik refuses every call."""


class IconikRefused(IconikError):
    """iconik refused the call. Repeating it changes nothing."""


class NotFound(IconikRefused):
    """The object does not exist in iconik (404)."""


class Contradicted(IconikRefused):
    """iconik's answer contradicts another of its answers."""


class NotOffered(IconikRefused):
    """This iconik doesn't have the call (405, 501). A newer version may."""


class NotPermitted(IconikRefused):
    """The token lacks a role or may not see the object (403).

    Args:
        call, problem: as in ``IconikError``.
        role: the role that iconik requires; "" if unknown.
        is_application: whether the application's token was used, not that of a user.
    """

    def __init__(
        self, call: str, problem: str, role: str = "", *, is_application: bool = False
    ) -> None:
        super().__init__(call, problem)
        self.role = role
        self.is_application = is_application

    def __str__(self) -> str:
        return super().__str__() + (f" (requires {self.role})" if self.role else "")


class TokenExpired(IconikRefused):
    """The click's own token is no longer valid (401), and no other token may replace it here."""
