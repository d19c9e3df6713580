"""Debian's packages, downloaded and unpacked into a folder of the checkout. Nothing is installed; no rights are needed."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.places import TOOLS

_STATE = TOOLS / "apt"


def unpack_packages(names: Sequence[str], folder: Path, console: Console) -> Path:
    """Exactly those packages, unpacked below `folder`; their root. A second call finds them there. Raises Lacking."""
    root, done = folder / "root", folder / "unpacked"
    wanted = "\n".join(names)
    if done.exists() and done.read_text() == wanted:
        return root
    shutil.rmtree(folder, ignore_errors=True)
    packages = folder / "packages"
    packages.mkdir(parents=True)
    root.mkdir()
    apt = _Apt(console)
    for count, name in enumerate(names, start=1):
        console.share("Debian packages:", count, len(names))
        apt.download(name, packages)
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(root)], "dpkg could not unpack a package")
    shutil.rmtree(packages)
    done.write_text(wanted)
    return root


def with_dependencies(name: str, keep: Callable[[str], bool], console: Console) -> list[str]:
    """That package and every real package it depends on, at any depth, that `keep` lets in. Raises Lacking."""
    return sorted(one for one in _Apt(console).closure(name) if keep(one) or one == name)


class _Apt:
    """apt's read-only commands, on the system's package lists or, where they are missing, on private ones."""

    def __init__(self, console: Console) -> None:
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise Lacking("this is no Debian: apt-get or dpkg is missing, so its packages can't be fetched")
        self._console = console
        self._options: list[str] = []
        if os.geteuid() == 0:
            # As root apt would drop to a user of its own, who may not write into the checkout.
            self._options += ["-o", "APT::Sandbox::User=root"]
        if (_STATE / "lists").exists():
            self._use_private_lists()

    def download(self, name: str, folder: Path) -> None:
        """Fetch one package's file, with private lists when the system's don't know it."""
        command = ["apt-get", *self._options, "-q", "download", name]
        if self._fails(command, folder):
            self._refresh()
            command = ["apt-get", *self._options, "-q", "download", name]
            _run(command, f"apt-get could not download Debian's package {name}", folder)

    def closure(self, name: str) -> set[str]:
        """The names apt knows for the package and what it depends on."""
        found = self._depends(name)
        if not found:
            self._refresh()
            found = self._depends(name)
        if not found:
            raise Lacking(f"apt knows no package {name}")
        return found

    def _depends(self, name: str) -> set[str]:
        unwanted = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        command = ["apt-cache", *self._options, "depends", "--recurse", *(f"--no-{kind}" for kind in unwanted), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return {line for line in done.stdout.splitlines() if re.match(r"^[a-z0-9]", line)}

    def _refresh(self) -> None:
        """Fetch the package lists into the checkout, from the sources the system has configured."""
        self._console.step("fetching Debian's package lists")
        for part in ("lists/partial", "cache/archives/partial"):
            (_STATE / part).mkdir(parents=True, exist_ok=True)
        self._use_private_lists()
        _run(["apt-get", *self._options, "-q", "update"], "apt-get could not fetch Debian's package lists")

    def _use_private_lists(self) -> None:
        private = ["-o", f"Dir::State::lists={_STATE / 'lists'}", "-o", f"Dir::Cache={_STATE / 'cache'}"]
        if private[1] not in self._options:
            self._options += private

    def _fails(self, command: Sequence[str], folder: Path) -> bool:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode != 0


def _run(command: Sequence[str], complaint: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Lacking(f"{complaint}: {(done.stderr or done.stdout).strip()[-2000:]}")
