"""One at a time: two runs that begin together must not fetch the same thing twice into the same folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bootstrap.console import Console


@contextmanager
def one_at_a_time(path: Path, console: Console) -> Iterator[None]:
    """Holds the lock file's lock; says so when it has to wait. The kernel lets go when the process ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.step("waiting for another run that is fetching the same")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
