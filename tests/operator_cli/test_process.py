"""How the `tresor` process ends where something stops it: Ctrl-C while it begins, streams that take nothing."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from operator_cli.exits import Exit
from tests.operator_cli.conftest import TRESOR
from tests.operator_cli.test_printing import keyring_of

INTERRUPTING = """
import builtins, os, runpy, signal, sys
real = builtins.__import__
def importing(name, *others, **more):
    if name == {moment!r}:
        os.kill(os.getpid(), signal.SIGINT)
    return real(name, *others, **more)
builtins.__import__ = importing
sys.argv[1:] = ["workspace", "list"]
runpy.run_module("operator_cli.main", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("moment", ["operator_cli.app", "typer", "operator_cli.session", "aio_pika"])
def test_an_interrupt_amid_imports_is_a_line_and_the_documented_code(moment: str) -> None:
    ended = subprocess.run(
        ["env", "--default-signal=INT", sys.executable, "-c", INTERRUPTING.format(moment=moment)],
        env={**os.environ, "TRESOR_AMQP_URL": "amqp://nobody:none@127.0.0.1:1/none"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (Exit.INTERRUPTED, "tresor: interrupted; nothing was sent\n")


async def run(words: str, *arguments: str, **environment: str) -> tuple[int | None, str, str]:
    """The exit code and what was written of `tresor` with these arguments and redirections."""
    process = await asyncio.create_subprocess_shell(
        f"{TRESOR} {' '.join(arguments)} {words}",
        executable="/bin/bash", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TRESOR_AMQP_URL": "", **environment},
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("keys", [1, 2000])
@pytest.mark.parametrize("form", ["table", "json"])
async def test_a_full_standard_output_is_a_sentence_and_the_documented_code(
    tmp_path: Path, form: str, keys: int
) -> None:
    keyring = str(keyring_of(tmp_path, keys))
    code, _, err = await run(">/dev/full", "keys", "list", "-o", form, "--keyring", keyring)
    assert code == Exit.UNWRITTEN
    assert err.splitlines()[0] == "tresor: the answer could not be written: No space left on device"
    assert "what to do: make room" in err
    assert "Traceback" not in err


async def test_help_and_completion_say_it_too() -> None:
    for arguments in (("--help",), ("completion", "bash")):
        code, _, err = await run(">/dev/full", *arguments)
        assert (code, "Traceback" in err) == (Exit.UNWRITTEN, False), err


async def test_a_full_standard_error_leaves_the_code_alone() -> None:
    assert await run("2>/dev/full", "workspace", "list") == (Exit.USAGE, "", "")
    assert await run("2>/dev/full", "--nonsense") == (Exit.USAGE, "", "")


async def test_a_bad_answer_keeps_its_code_where_standard_output_is_full(tmp_path: Path) -> None:
    keyring = str(keyring_of(tmp_path, 1))
    code, _, err = await run(">/dev/full", "keys", "show", "nobody", "--keyring", keyring)
    assert (code, "Traceback" in err) == (Exit.NEGATIVE, False), err


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
async def test_streams_that_are_closed_from_the_start_are_no_failure(tmp_path: Path, closed: str) -> None:
    keyring = str(keyring_of(tmp_path, 1))
    code, _, err = await run(closed, "keys", "list", "--keyring", keyring)
    assert (code, err) == (Exit.OK, "")
