"""What can go wrong, by what is to be done about it."""

from collections.abc import Iterable

from contracts.envelope import Problem


class TresorError(Exception):
    """The root of all errors that Tresor raises on purpose."""


class Rejected(TresorError):
    """What was asked can't be done as asked; nothing was changed. Raised by a command's handler."""

    def __init__(self, problems: Iterable[Problem] | Problem | str, remedy: str = "") -> None:
        if isinstance(problems, str):
            problems = (Problem(reason=problems, remedy=remedy),)
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("; ".join(problem.reason for problem in self.problems))


class Configuration(TresorError):
    """A setting or file is missing or wrong; the text says which and what to do. The process ends."""


class LeaseLost(TresorError):
    """Another replica owns this lane: whatever was begun here must have no further effect."""


class Unsettled(TresorError):
    """The last call for this marker ended in the unknown, or well and unseen, too recently to try again."""

    def __init__(
        self, marker: str, retry_after_seconds: float, how: str = "called for, and its outcome is unknown"
    ) -> None:
        super().__init__(f"{marker} was {how}; looking again in {retry_after_seconds:.0f} s")
        self.retry_after_seconds = retry_after_seconds


class CloudError(TresorError):
    """OpenStack's answer to a call was not a success."""

    def __init__(self, message: str, *, status: int | None = None, request_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id


class NotFound(CloudError):
    """404: there is no such thing (any more)."""


class Conflict(CloudError):
    """409 or 412: the thing is in use, exists already, has moved on, or a quota is exhausted."""

    def __init__(
        self, message: str, *, status: int | None = None, request_id: str = "", is_quota: bool = False
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.is_quota = is_quota


class Invalid(CloudError):
    """400 or 422: OpenStack will never take this request."""


class Forbidden(CloudError):
    """401 or 403: the service's user may not do this; a role is missing."""


class CredentialsRefused(CloudError):
    """Keystone refuses the login itself: a wrong or expired password or application credential, or a locked user.

    Nothing works before somebody mends it, and trying often may lock the user, so it is tried again slowly.
    """

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message, status=401)
        self.retry_after_seconds = retry_after_seconds


class Transient(CloudError):
    """OpenStack could not do it just now, and did not do it: 5xx before any effect, 429, connection refused."""

    def __init__(
        self, message: str, *, status: int | None = None, request_id: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.retry_after_seconds = retry_after_seconds


class Unknown(CloudError):
    """The answer to a write never came: it may have happened. Look before trying again."""
