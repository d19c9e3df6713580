"""The programs that Slurm calls: shell scripts of one line each, which start the hook with nothing that it does not need."""

import shlex
import sys
from pathlib import Path

_CODE = (
    "import sys; sys.path[:0] = {folders!r}; from operator_cli.burst_hook.main import run; sys.exit(run(sys.argv[1:]))"
)
_KINDS = {
    "ResumeProgram": "resume",
    "SuspendProgram": "suspend",
    "ResumeFailProgram": "resume-fail",
}


def write_programs(settings: Path, spool: str, folder: Path) -> dict[str, Path]:
    """Write them into `folder`; their paths by the names that slurm.conf has for them. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for setting, kind in _KINDS.items():
        path = folder / f"tresor-{kind}"
        _write(path, f'{_start(settings, spool)} {kind} "$1"')
        written[setting] = path
    drain = folder / "tresor-drain"
    _write(drain, f"{_start(settings, spool)} drain")
    return {**written, "drain": drain}


def _start(settings: Path, spool: str) -> str:
    """The interpreter without `site`, whose search for packages takes longer than all that the hook does."""
    import cryptography

    own = Path(__file__).resolve().parents[1]
    packages = Path(cryptography.__file__).resolve().parents[1]
    code = _CODE.format(folders=[str(own), str(packages)])
    return " ".join(map(shlex.quote, (sys.executable, "-I", "-S", "-c", code, str(settings), spool)))


def _write(path: Path, command: str) -> None:
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(0o755)
