""".ci/run says the truth: it fails when any part fails, and takes down a lab that it put up."""

import os
import subprocess
from pathlib import Path

import pytest

from bootstrap.places import CHECKOUT

PARTS = ["lint", "test", "lab-test", "lab-down"]


def run(tmp_path: Path, failing: str) -> tuple[int, list[str]]:
    """Its exit code and what it asked of make, with a make that fails in one part with code 7."""
    calls = tmp_path / "calls"
    make = tmp_path / "make"
    make.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$last" >> {calls}\n[ "$last" != "{failing}" ] || exit 7\n')
    make.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([CHECKOUT / ".ci" / "run"], env=environment, capture_output=True, check=False)
    return done.returncode, calls.read_text().split()


def test_all_parts_in_order(tmp_path: Path) -> None:
    assert run(tmp_path, "none") == (0, PARTS)


@pytest.mark.parametrize(
    ("failing", "asked"),
    [("lint", PARTS[:1]), ("test", PARTS[:2]), ("lab-test", PARTS), ("lab-down", PARTS)],
)
def test_a_part_that_fails_fails_the_whole(tmp_path: Path, failing: str, asked: list[str]) -> None:
    code, calls = run(tmp_path, failing)
    assert code != 0
    assert calls == asked
