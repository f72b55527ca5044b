"""What can go wrong with a request to iconik. No error carries a token or a signed URL."""


class IconikError(Exception):
    """iconik did not do what it was asked.

    Args:
        call: what was asked of iconik, for a person: 'list the files of asset 1b9d…'.
        problem: what came back, as the rest of a sentence.
    """

    def __init__(self, call: str, problem: str) -> None:
        super().__init__(call, problem)
        self.call = call
        self.problem = problem

    def __str__(self) -> str:
        return f"could not {self.call}: {self.problem}"


class IconikUnavailable(IconikError):
    """iconik gave no usable answer; the same call may well succeed later."""


class Incomplete(IconikUnavailable):
    """iconik's list holds less than it tells, however often it is read: no evidence of anything."""


class TooLate(IconikUnavailable):
    """The request was not sent: what justified it is too old to rely on."""


class IconikRefused(IconikError):
    """iconik answered that it won't; asking again changes nothing."""


class NotFound(IconikRefused):
    """iconik knows no such object (404)."""


class Contradicted(IconikRefused):
    """iconik's answer contradicts another of its answers."""


class NotOffered(IconikRefused):
    """This iconik doesn't have the call (405, 501); a newer one may."""


class NotPermitted(IconikRefused):
    """The token lacks a role or may not see the object (403).

    Args:
        role: the role that iconik asks for; "" if it isn't known.
    """

    def __init__(self, call: str, problem: str, role: str = "") -> None:
        super().__init__(call, problem)
        self.role = role


class TokenExpired(IconikRefused):
    """The click's own token is no longer valid (401), and no other may replace it for this."""


class TokenRejected(IconikRefused):
    """No available token is valid any more (401)."""
