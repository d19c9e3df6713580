"""A pip on a machine that may have none: Python's own, one made by venv, else the one in Debian's package."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.debian import unpack_packages
from bootstrap.places import TOOLS

_DEBIAN_PACKAGES = ("python3-pip", "python3-setuptools", "python3-pkg-resources", "python3-wheel", "python3-distutils")


@dataclass(frozen=True)
class Pip:
    """A command that is pip, and what its environment needs beside ours."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    origin: str

    def install(self, requirements: Path, target: Path, certificates: Mapping[str, str]) -> None:
        """Install hash-checked requirements into a folder of their own. The environment's own settings for pip (index,
        mirror, proxy, certificates) hold. Raises Lacking with pip's words."""
        arguments = [
            "install",
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            "--upgrade",
            "--target",
            str(target),
        ]
        done = subprocess.run(
            [*self.command, *arguments, "-r", str(requirements)],
            env={**os.environ, **certificates, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise Lacking(
                f"pip ({self.origin}) could not install {requirements.name}. It needs a package index or a mirror:"
                " PIP_INDEX_URL, PIP_FIND_LINKS, PIP_CERT or a proxy may have to be set. It said:\n"
                + (done.stderr or done.stdout)[-3000:]
            )


def find_pip(console: Console, python: str = sys.executable, tools: Path = TOOLS) -> Pip:
    """The first pip that works. Raises Lacking when there is none to be had."""
    attempts: tuple[Callable[[], Pip | None], ...] = (
        lambda: _own(python),
        lambda: _of_virtual_environment(python, tools),
        lambda: _of_debian(console, python, tools),
    )
    for attempt in attempts:
        if found := attempt():
            console.step(f"pip: {found.origin}")
            return found
    raise Lacking("this Python has neither pip nor venv, and Debian's python3-pip could not be fetched")


def _own(python: str) -> Pip | None:
    command = (python, "-m", "pip")
    return Pip(command, {}, "this Python's own") if _works(command, {}) else None


def _of_virtual_environment(python: str, tools: Path) -> Pip | None:
    folder = tools / "pip" / "venv"
    made = subprocess.run([python, "-m", "venv", "--clear", str(folder)], capture_output=True, check=False)
    command = (str(folder / "bin" / "python"), "-m", "pip")
    return Pip(command, {}, "from venv") if made.returncode == 0 and _works(command, {}) else None


def _of_debian(console: Console, python: str, tools: Path) -> Pip | None:
    root = unpack_packages(_DEBIAN_PACKAGES, tools / "pip" / "debian", console)
    folders = (root / "usr/lib/python3/dist-packages", root / "usr/lib/python3.11")
    environment = {"PYTHONPATH": ":".join(str(folder) for folder in folders)}
    command = (python, "-m", "pip")
    return Pip(command, environment, "Debian's package, unpacked") if _works(command, environment) else None


def _works(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    done = subprocess.run([*command, "--version"], env={**os.environ, **environment}, capture_output=True, check=False)
    return done.returncode == 0
