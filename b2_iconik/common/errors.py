"""Every exception this plugin raises on purpose. None carries a token or a secret."""

from iconik_http.errors import IconikUnavailable


class PluginError(Exception):
    """Anything that this plugin can explain to a person; ``str()`` of it is the explanation."""


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


class BucketUnavailable(IconikUnavailable):
    """B2 gave no usable answer about a file; the same question may be answered later.

    It is no error of iconik's, but has the same consequence: the asset is put off.
    """


class OperationFailed(PluginError):
    """An operation can come to nothing as a whole; the message says what to change."""


class StopRequested(PluginError):
    """Somebody has asked the operation to stop: it begins nothing more, and ends."""


class Stopped(BaseException):
    """This process is to stop: the operation is left as it is, to be carried on elsewhere.

    No ``Exception``, so that nobody takes it for a fault.
    """
