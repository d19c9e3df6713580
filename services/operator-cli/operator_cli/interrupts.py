"""What Ctrl-C does while a command is read, while it works on the bus, and while the process ends.

While modules are imported a KeyboardInterrupt may come up inside the import machinery, which shows or even swallows
it; so until there is something to tell the services the process leaves by itself. An interrupt that is ignored, as
for a command that a script began in the background, stays ignored.
"""

import os
import signal
from types import FrameType


def leave_at_once() -> None:
    """From here on an interrupt ends the process with a line and the documented code: nothing was sent."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def let_work_end() -> None:
    """From here on an interrupt cancels the work, which has its own last words."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def leave_silently() -> None:
    """Everything is said: an interrupt that comes while the interpreter winds up ends the process, and says nothing."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _leave(number: int, frame: FrameType | None) -> None:
    try:
        os.write(2, b"tresor: interrupted; nothing was sent\n")
    finally:
        os._exit(130)
