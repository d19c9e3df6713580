"""What can keep an asker from its answer."""

from contracts.envelope import Problem
from shared.errors import TresorError


class Unreachable(TresorError):
    """The broker can't be reached, or takes no message."""


class Unanswered(TresorError):
    """Nobody answered in time."""


class NobodyThere(TresorError):
    """The broker has no queue for it: the service that it is meant for never started there."""


class NotPermitted(TresorError):
    """The broker's user may not do this."""


class Declined(TresorError):
    """The service answers that it will not answer this query, and why."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.reason for problem in problems))
        self.problems = problems


def reason_of(error: BaseException) -> str:
    """An error's own words, in one line and bounded."""
    return " ".join(str(error).split())[:300] or type(error).__name__
