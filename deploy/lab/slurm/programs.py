"""Slurm's and MUNGE's programs: installed, else Debian's packages unpacked into the checkout. No rights are needed."""

from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import Console, Lacking
from bootstrap.debian import unpack_packages
from bootstrap.places import TOOLS
from bootstrap.turns import one_at_a_time

_PACKAGES = (
    "slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "munge", "libmunge2", "libhwloc15", "libnuma1",
    "libudev1", "libjson-c5",
)  # fmt: skip
"""Slurm, what proves its users, and the libraries that a small system has not got."""


@dataclass(frozen=True)
class Programs:
    """Where Slurm is."""

    root: Path
    plugin_folder: Path

    def path(self, name: str) -> Path:
        """One program, under whichever of its names it has here: Debian's packages call the daemons `…-wlm`."""
        for folder in ("usr/sbin", "usr/bin"):
            for each in (self.root / folder / name, self.root / folder / f"{name}-wlm"):
                if each.exists():
                    return each
        raise Lacking(f"there is no {name} below {self.root}")

    @property
    def libraries(self) -> str:
        """LD_LIBRARY_PATH of what is unpacked; nothing for an installed Slurm."""
        return "" if self.root == Path("/") else f"{self.plugin_folder.parent}:{self.plugin_folder}"


def find_slurm(console: Console) -> Programs:
    """Installed, else unpacked into `.tools`. Raises Lacking."""
    if found := _below(Path("/")):
        return found
    folder = TOOLS / "slurm"
    with one_at_a_time(TOOLS / "slurm.lock", console):
        if not (folder / "unpacked").exists():
            console.step("no Slurm is installed: fetching Debian's packages into the checkout (about 4 MB)")
        found = _below(unpack_packages(_PACKAGES, folder, console))
    if found is None:
        raise Lacking(f"the unpacked Slurm in {folder} is not whole; delete it and try again")
    return found


def _below(root: Path) -> Programs | None:
    for folder in sorted(root.glob("usr/lib/*/slurm-wlm")):
        found = Programs(root, folder)
        try:
            for name in ("slurmctld", "slurmd", "slurmstepd", "munged", "scontrol"):
                found.path(name)
        except Lacking:
            continue
        return found
    return None
