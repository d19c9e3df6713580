"""What a consumer used between its first message and the last one's being done with."""

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_megabytes() -> float:
    """The most memory this process held; getrusage would tell the parent's from before the exec as well."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


class Meter:
    """Counts messages; `report` prints the result as one line of JSON."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.done = 0
        self._began: tuple[float, float] | None = None

    def first(self) -> None:
        """The first message is here."""
        if self._began is None:
            self._began = time.perf_counter(), _cpu_seconds()

    def count(self, messages: int) -> bool:
        """These are done with; True once all are."""
        self.done += messages
        return self.done >= self.wanted

    def report(self, **more: Any) -> None:
        """Print what it took."""
        assert self._began is not None
        seconds, cpu = time.perf_counter() - self._began[0], _cpu_seconds() - self._began[1]
        megabytes = _peak_megabytes()
        print(
            json.dumps(
                {
                    "messages": self.done,
                    "seconds": seconds,
                    "messages_per_second": self.done / seconds,
                    "cpu_us_per_message": cpu / self.done * 1e6,
                    "megabytes": megabytes,
                    **more,
                }
            )
        )
        sys.stdout.flush()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
