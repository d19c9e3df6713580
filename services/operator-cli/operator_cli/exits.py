"""How the command ends: the codes, and the sentence that goes with a bad one. See docs/exit-codes.md."""

from enum import IntEnum


class Exit(IntEnum):
    """The process' exit code."""

    OK = 0
    """Done, and the answer is good."""
    NEGATIVE = 1
    """Done, and the answer is bad: isolation violated, a check failed, no such workspace, a broken audit chain."""
    USAGE = 2
    """The command line, a setting or a document is wrong; nothing was sent."""
    REJECTED = 3
    """The service refused the command; nothing was done."""
    FAILED = 4
    """The service began and gave up; what was made is kept."""
    UNREACHABLE = 5
    """The broker can't be reached, or nobody answered in time. A command that was sent may still be applied."""
    NOT_PERMITTED = 6
    """The broker's user, or the key that signed, may not do this."""
    NOT_JUDGED = 7
    """`tresor audit` found nothing critical in what it could read, and there is more that it could not."""
    UNWRITTEN = 74
    """Standard output took less than there was to say (a full disk). A command that was sent goes on."""
    INTERRUPTED = 130
    """Ctrl-C. A command that was sent goes on."""


class Stop(Exception):
    """Ends the command with a code, a sentence and what to do about it."""

    def __init__(self, code: Exit, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.remedy = remedy
