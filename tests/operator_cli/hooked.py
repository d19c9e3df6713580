"""The hooks of one Slurm cluster, as they are installed: settings, secrets, a spool, and the programs."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

from contracts.envelope import Role
from contracts.examples import WORKSPACE
from operator_cli.burst_hook.settings import load
from operator_cli.burst_hook.spool import Spool
from operator_cli.burst_programs import write_programs
from shared.testing.keys import Keys


class Hooks:
    """Installed for `WORKSPACE`, whose key `slurm` is added to the ring."""

    def __init__(self, folder: Path, keys: Keys, url: str, send_seconds: float = 60.0, ca_path: str = "") -> None:
        """`url`: of the broker, as the user `scheduler`; with `ca_path` over TLS."""
        folder.mkdir(mode=0o700, parents=True)
        keys.add("slurm", frozenset({Role.SCHEDULER}), workspaces=(WORKSPACE,))
        address = urlsplit(url)
        password = folder / "password"
        password.touch(0o600)
        password.write_text(unquote(address.password or "") + "\n")
        self.settings = folder / "burst.json"
        fields = {
            "workspace": WORKSPACE,
            "holder": "slurm",
            "signing_key_path": str(keys.path("slurm")),
            "spool_path": str(folder / "spool"),
            "send_seconds": send_seconds,
            "broker": {
                "host": address.hostname,
                "port": address.port,
                "vhost": unquote(address.path[1:]),
                "user": address.username,
                "password_path": str(password),
                "ca_path": ca_path,
            },
        }
        self.settings.write_text(json.dumps(fields))
        self.programs = write_programs(self.settings, load(str(self.settings)).spool_path, folder / "bin")
        self.spool = Spool(str(folder / "spool"))

    def run(
        self, program: str, *arguments: str, resume_file: Path | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        """One call as Slurm makes it: next to no environment, and no open files."""
        environment = {"SLURM_CONF": "/etc/slurm/slurm.conf"}
        if resume_file is not None:
            environment["SLURM_RESUME_FILE"] = str(resume_file)
        return subprocess.run(
            [self.programs[program], *arguments],
            env=environment,
            preexec_fn=_close_standard_files,
            timeout=60,
            check=False,
        )

    async def call(self, program: str, *arguments: str, resume_file: Path | None = None) -> int:
        """The same beside what else runs in this process; the exit code."""
        done = await asyncio.to_thread(self.run, program, *arguments, resume_file=resume_file)
        return done.returncode


def _close_standard_files() -> None:
    for number in (0, 1, 2):
        os.close(number)
