"""What the bootstrap tells whoever waits for it: one line per step, on standard error."""

import sys
import time


class Lacking(Exception):
    """Something is missing that this machine does not offer; the message says what, and what would help."""


class Console:
    """Lines of progress, each with the seconds since the start."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._started = time.monotonic()
        self._last_share = ""

    def step(self, text: str) -> None:
        """One step, begun or done."""
        if not self._quiet:
            print(f"[{time.monotonic() - self._started:6.1f}s] {text}", file=sys.stderr, flush=True)

    def share(self, text: str, done: int, total: int) -> None:
        """How much of a long step is done: a line per piece, none twice."""
        line = f"{text} {done}/{total} ({100 * done // max(total, 1)} %)"
        if line != self._last_share:
            self._last_share = line
            self.step(line)
