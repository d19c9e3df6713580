"""A real Libreswan's own checks of a configuration, without rights: nothing of it is installed or run as a service."""

import os
import subprocess
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.debian import unpack_packages
from bootstrap.places import TOOLS
from bootstrap.turns import one_at_a_time

_PACKAGES = (
    "libreswan", "libunbound8", "libldns3", "libevent-2.1-7", "libnss3", "libnspr4", "libcap-ng0", "libcurl3-nss",
    "libldap-2.5-0", "libsasl2-2", "libseccomp2", "libsqlite3-0", "libssh2-1", "libnghttp2-14", "librtmp1", "libpsl5",
)  # fmt: skip
"""Libreswan, and the libraries that a small system has not got."""
_PROGRAMS = Path("usr/libexec/ipsec")


class Libreswan:
    """The checking programs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def find(cls, console: Console) -> "Libreswan":
        """Installed, else Debian's packages unpacked into `.tools`. Raises Lacking."""
        if (Path("/") / _PROGRAMS / "addconn").exists():
            return cls(Path("/"))
        folder = TOOLS / "libreswan"
        with one_at_a_time(TOOLS / "libreswan.lock", console):
            if not (folder / "unpacked").exists():
                console.step("no Libreswan is installed: fetching Debian's packages into the checkout (about 5 MB)")
            root = unpack_packages(_PACKAGES, folder, console)
        if not (root / _PROGRAMS / "addconn").exists():
            raise Lacking(f"the unpacked Libreswan in {folder} is not whole; delete it and try again")
        return cls(root)

    def read(self, path: Path) -> str:
        """What it says against a configuration file: empty when it takes it. It does not look at proposals here."""
        return self._complaint("addconn", "--config", str(path), "--checkconfig")

    def propose(self, kind: str, proposals: str) -> str:
        """What it says against proposals of `ike` or `esp`, for IKEv2 with perfect forward secrecy."""
        return self._complaint("algparse", "-v2", "-pfs", f"{kind}={proposals}")

    def _complaint(self, program: str, *arguments: str) -> str:
        libraries = ":".join(str(folder) for folder in self._root.glob("usr/lib/*-linux-gnu"))
        environment = {**os.environ, **({} if self._root == Path("/") else {"LD_LIBRARY_PATH": libraries})}
        command: list[str | Path] = [self._root / _PROGRAMS / program, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        said = f"{done.stdout}{done.stderr}".strip()
        return said or f"code {done.returncode}" if done.returncode or "ERROR" in said else ""
