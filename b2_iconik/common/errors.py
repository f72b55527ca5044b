"""Every exception that the plugin raises on purpose. None contains a token or a secret."""

from iconik_http.errors import IconikUnavailable


class PluginError(Exception):
    """An error with a message for people, which ``str()`` returns."""


class SettingsError(PluginError):
    """A setting is missing or malformed. The message names it and says what to do.

    Args:
        subject: what is wrong, usually the variable.
        problem: what is wrong with it and what to do, as the rest of a sentence.
    """

    def __init__(self, subject: str, problem: str) -> None:
        super().__init__(subject, problem)
        self.subject = subject
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.subject} {self.problem}"


class ClickError(PluginError):
    """The posted data is not a custom action that the plugin can carry out.

    Args:
        field: the name of the invalid field or query parameter.
        problem: what is wrong with it, as the rest of a sentence.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class RecordingError(PluginError):
    """The operation could not be recorded, so the answer to the click must not be 200."""


class RetryError(PluginError):
    """An operation can't be retried. The message says why, and what to do."""


class HoldingsError(PluginError):
    """What is on LucidLink can't be changed as requested. The message says why, in sentences."""


class ProtectionError(PluginError):
    """The protection of an asset can't be set or lifted now. The message says why."""


class BucketUnavailable(IconikUnavailable):
    """B2 gave no usable answer about a file. The same request may succeed later.

    The error does not come from iconik, but has the same effect: the asset is postponed.
    """


class OperationFailed(PluginError):
    """The whole operation fails. The message says what to change."""


class StopRequested(PluginError):
    """A user requested a stop: the operation begins nothing more, and ends."""


class Stopped(BaseException):
    """This process stops. Another process resumes the operation from its current state.

    It is not an ``Exception``, so that no handler treats it as a fault.
    """
