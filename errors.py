"""Every exception this plugin raises on purpose. None carries a token or a secret."""

from reasons import Cause, Reason


class PluginError(Exception):
    """Anything that this plugin can explain to a person; ``str()`` of it is the explanation.

    Attributes:
        cause: what programs go by; None where it makes no difference.
    """

    cause: Cause | None = None

    @property
    def reason(self) -> Reason:
        """The explanation, with its cause."""
        return Reason(str(self), self.cause)


class SettingsError(PluginError):
    """A setting is missing or malformed; the message names it and says what to do.

    Args:
        subject: what is at fault: as a rule, the variable.
        problem: what is wrong with it, and what to do, as the rest of a sentence.
    """

    def __init__(self, subject: str, problem: str) -> None:
        super().__init__(subject, problem)
        self.subject = subject
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.subject} {self.problem}"


class ClickError(PluginError):
    """What was posted is not a custom action this plugin can carry out.

    Args:
        field: the name of the field or query parameter at fault.
        problem: what is wrong with it, as the rest of a sentence.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class RecordingError(PluginError):
    """The operation could not be written down, so the click must not be answered with 200."""


class RetryError(PluginError):
    """An operation can't be tried again; the message says why, and what to do."""


class IconikError(PluginError):
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

    cause = Cause.NO_ANSWER


class Incomplete(IconikUnavailable):
    """iconik's list holds less than it tells, however often it is read: no evidence of anything."""


class TooLate(IconikUnavailable):
    """It was not asked of iconik: what made it right was so long ago that it may no longer be."""

    cause = Cause.TOO_SLOW


class BucketUnavailable(IconikUnavailable):
    """B2 gave no usable answer about a file; the same question may be answered later.

    It is no error of iconik's, but has the same consequence: the asset is put off.
    """


class IconikRefused(IconikError):
    """iconik answered that it won't; asking again changes nothing."""

    cause = Cause.REFUSED


class NotFound(IconikRefused):
    """iconik knows no such object (404)."""


class Contradicted(IconikRefused):
    """iconik's answer contradicts another of its answers."""

    cause = Cause.UNCLEAR_RECORDS


class NotOffered(IconikRefused):
    """This iconik doesn't have the call (405, 501); a newer one may."""


class NotPermitted(IconikRefused):
    """The token lacks a role or may not see the object (403).

    Args:
        role: the role that iconik asks for; "" if it isn't known.
    """

    cause = Cause.NOT_PERMITTED

    def __init__(self, call: str, problem: str, role: str = "") -> None:
        super().__init__(call, problem)
        self.args = call, problem, role
        self.role = role


class TokenExpired(IconikRefused):
    """The click's own token is good no more (401), and no other may take its place for this."""

    cause = Cause.TOKEN_EXPIRED


class TokenRejected(IconikRefused):
    """No token at hand is good any more (401)."""

    cause = Cause.TOKEN_REJECTED


class OperationFailed(PluginError):
    """An operation can come to nothing as a whole; the message says what to change."""


class StopRequested(PluginError):
    """Somebody has asked the operation to stop: it begins nothing more, and ends."""


class Stopped(BaseException):
    """This process is to stop: the operation is left as it is, to be carried on elsewhere.

    No ``Exception``, so that nobody takes it for a fault.
    """
