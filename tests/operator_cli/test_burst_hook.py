"""Slurm's hooks by themselves: what they read, keep and sign."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.burst_scheduler import GiveNodesUp, ResumeNodes, SuspendNodes
from contracts.envelope import MAX_BODY_BYTES, CommandEnvelope, Role
from contracts.examples import WORKSPACE
from operator_cli.burst_hook import calls
from operator_cli.burst_hook.calls import Broken, jobs_in, read_call
from operator_cli.burst_hook.sealing import Sealer
from operator_cli.burst_hook.settings import Unusable, load, read_secret
from operator_cli.burst_hook.spool import MAX_CALLS, Full, Spool
from shared.clock import SystemClock
from shared.signing import Keyring
from shared.testing.keys import Keys

OLD = b'{"jobs":[{"job_id":42,"nodes":"cloud[1-2]"}],"all_nodes":"cloud[1-2]"}'
"""As Slurm 22.05 writes it."""
NEW = (
    b'{"all_nodes_resume":"cloud[1-3]","jobs":['
    b'{"extra":null,"job_id":42,"features":"burst","nodes_alloc":"cloud[1-3],static1","nodes_resume":"cloud[1-2]",'
    b'"oversubscribe":"OK","partition":"cloud","reservation":null},'
    b'{"job_id":43,"nodes_alloc":"static1","nodes_resume":"","partition":"cloud"}]}'
)
"""As 23.02 and later do."""
NOW = 1_795_221_827.0


def test_both_forms_of_the_resume_file_name_the_jobs() -> None:
    assert jobs_in(OLD) == [{"job_id": 42, "nodes": "cloud[1-2]"}]
    assert jobs_in(NEW) == [{"job_id": 42, "nodes": "cloud[1-2]"}]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"jobs":1}', b'{"jobs":[1]}', b'{"jobs":[{"nodes":"a"}]}', b"[" * 9999]
)
def test_a_broken_resume_file_costs_the_jobs_and_not_the_nodes(content: bytes) -> None:
    kind, data = read_call(b"resume\n2026-11-21T10:00:00Z\ncloud1\n\n" + content, WORKSPACE)
    assert ResumeNodes.model_validate(data).nodes == "cloud1"
    assert (kind, data["jobs"]) == (ResumeNodes.type, [])


@pytest.mark.parametrize("content", [b"", b"resume\n\n", b"boot\nx\ny\n\n", b"\xff\n\n\n\n"])
def test_what_is_no_call_is_broken(content: bytes) -> None:
    with pytest.raises(Broken):
        read_call(content, WORKSPACE)


def test_every_kind_of_call_is_a_command_of_the_contract() -> None:
    kinds: dict[str, type[ResumeNodes | SuspendNodes | GiveNodesUp]] = {
        "resume": ResumeNodes,
        "suspend": SuspendNodes,
        "resume-fail": GiveNodesUp,
    }
    assert kinds.keys() == calls.TYPES.keys()
    for kind, command in kinds.items():
        found, data = read_call(f"{kind}\n2026-11-21T10:00:00Z\ncloud[1-2]\n\n".encode() + OLD, WORKSPACE)
        message = command.model_validate(data)
        assert (found, message.nodes, message.asked_at) == (
            command.type, "cloud[1-2]", datetime(2026, 11, 21, 10, tzinfo=UTC),
        )  # fmt: skip


def test_a_signed_call_is_what_the_services_take(tmp_path: Path) -> None:
    """A thousand jobs of a node each, in one command within its bounds."""
    keys = Keys(tmp_path, SystemClock())
    keys.add("slurm", frozenset({Role.SCHEDULER}))
    file = {"jobs": [{"job_id": job, "nodes_resume": f"a-long-name-of-a-node-{job}"} for job in range(9000)]}
    kind, data = read_call(
        b"resume\n2026-11-21T10:00:00Z\na-long-name-of-a-node-[0-8999]\n\n" + json.dumps(file).encode(), WORKSPACE
    )
    sealed = Sealer("slurm", keys.path("slurm").read_text()).seal(kind, data, NOW, os.urandom)
    key = Keyring.load(keys.keyring_path).verify(sealed.body, sealed.signature, SystemClock().now())
    envelope = CommandEnvelope.model_validate_json(sealed.body)
    assert key.holder == "slurm"
    assert (envelope.id, envelope.type, envelope.subject) == (sealed.id, ResumeNodes.type, WORKSPACE)
    assert envelope.source == "tresor/operator/slurm"
    assert envelope.time.timestamp() == NOW
    assert (envelope.expiresat - envelope.time).total_seconds() == 240
    assert len(ResumeNodes.model_validate(envelope.data).jobs) == 2000
    assert len(sealed.body) < MAX_BODY_BYTES


def test_the_spool_keeps_the_order_of_whoever_writes_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "spool")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: Spool(path).append(b"%d" % number), range(64)))
    spool = Spool(path)
    assert [int(name) for name in spool.names()] == list(range(1, 65))
    assert sorted(int(spool.read(name)) for name in spool.names()) == list(range(64))
    spool.remove(spool.names()[0])
    spool.append(b"last")
    assert spool.read(spool.names()[-1]) == b"last"


def test_the_spool_is_bounded_and_private(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(str(path))
    assert path.stat().st_mode & 0o077 == 0
    for number in range(1, MAX_CALLS + 1):
        (path / f"{number:020d}").touch()
    with pytest.raises(Full):
        spool.append(b"one more")
    path.chmod(0o755)
    with pytest.raises(PermissionError):
        Spool(str(path))


def test_one_sends_at_a_time(tmp_path: Path) -> None:
    spool, other = Spool(str(tmp_path / "spool")), Spool(str(tmp_path / "spool"))
    turn = spool.take_turn()
    assert turn is not None
    assert other.take_turn() is None
    spool.end_turn(turn)
    again = other.take_turn()
    assert again is not None
    other.end_turn(again)


def test_secrets_that_others_may_read_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret")
    path.chmod(0o640)
    with pytest.raises(Unusable, match="chmod 600"):
        read_secret(str(path))
    path.chmod(0o600)
    assert read_secret(str(path)) == "secret"
    for text in ("", "[]", '{"workspace": "x"}', '{"broker": {"host": "x", "colour": "red"}}'):
        path.write_text(text)
        with pytest.raises(Unusable):
            load(str(path))


def test_what_slurm_waits_for_imports_next_to_nothing() -> None:
    """A hook has returned before json, sockets or signatures are loaded; the services' libraries are never loaded."""
    code = (
        "import sys; before = set(sys.modules); import operator_cli.burst_hook.main;"
        "first = set(sys.modules) - before; import operator_cli.burst_hook.sending;"
        "print(*sorted(first)); print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    first, sending = (set(line.split()) for line in done.stdout.splitlines())
    assert not first & {"json", "socket", "re", "dataclasses", "contextlib", "cryptography", "subprocess", "asyncio"}
    assert not {name.partition(".")[0] for name in sending} & {"asyncio", "pydantic", "contracts", "shared", "typer"}
