"""A module run with what a service's image has, not with what a developer's machine adds: `python -m tests.bench.image`.

Libraries take up what they find: structlog imports rich where there is one, and rich weighs several megabytes.
"""

import os
import re
import runpy
import sys
from pathlib import Path

LOCK = Path(__file__).parents[2] / "deploy" / "locks" / "services.lock"
_ABSENT = "TRESOR_BENCH_ABSENT"
_NEEDED_TO_MEASURE = frozenset({"tests"})


def environment() -> dict[str, str]:
    """This process's environment, with the names of the modules that the image lacks."""
    return {**os.environ, _ABSENT: " ".join(absent())}


def absent() -> list[str]:
    """The top-level modules installed here by packages that are not in the image's lock and are none of ours."""
    from importlib.metadata import packages_distributions  # reads every package's metadata: not in what is measured

    locked = {_canonical(line.split("==")[0]) for line in LOCK.read_text().splitlines() if "==" in line}
    return sorted(
        module
        for module, packages in packages_distributions().items()
        if module not in _NEEDED_TO_MEASURE
        and not any(_canonical(package) in locked or package.startswith("tresor") for package in packages)
    )


def _canonical(package: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", package.strip()).lower()


if __name__ == "__main__":
    for name in os.environ[_ABSENT].split():
        sys.modules[name] = None  # type: ignore[assignment]
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
