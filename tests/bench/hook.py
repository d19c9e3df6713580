"""Slurm's hook: from its start to its return, and until its command is at the broker. `python -m tests.bench.hook`.

Each call is a process, as Slurm makes them: a thousand jobs with a node each in the resume file of every tenth. While
others use the machine the wall times mean nothing; the CPU time of a call does.
"""

import asyncio
import json
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from bootstrap.backing import Backing, start_own
from bootstrap.console import Console
from bootstrap.leases import BrokerLease
from contracts.envelope import COMMANDS_EXCHANGE
from shared.clock import SystemClock
from shared.testing.keys import Keys
from tests.bench.measuring import quantile
from tests.operator_cli.hooked import Hooks

CALLS = 200
JOBS = 1000
MUST_MILLISECONDS = 100.0
"""Row D2: Slurm's hook returns within it."""
AWAY = "amqp://scheduler:none@127.0.0.1:1/tresor"
"""Nobody listens there."""


async def measure(backing: Backing, calls: int = CALLS) -> dict[str, Any]:
    """Milliseconds of each call with the broker there and away, and until its command is at the broker."""
    name = secrets.token_hex(4)
    broker = BrokerLease(backing.broker, f"b-{name}", f"b-{name}-openstack")
    await broker.create()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            keys = Keys(Path(folder) / "keys", SystemClock())
            resume_file = Path(folder) / "resume.json"
            jobs = [{"job_id": 1000 + job, "nodes": f"cloud{job}"} for job in range(JOBS)]
            resume_file.write_text(json.dumps({"jobs": jobs, "all_nodes": f"cloud[0-{JOBS - 1}]"}))
            there = Hooks(Path(folder) / "there", keys, broker.url_of("scheduler"))
            away = Hooks(Path(folder) / "away", keys, AWAY, send_seconds=0)
            return {
                "there": await _with_broker(broker.url, there, resume_file, calls),
                "away": await asyncio.to_thread(_away, away, resume_file, calls // 4),
            }
    finally:
        await broker.drop()


async def _with_broker(url: str, hooks: Hooks, resume_file: Path, calls: int) -> dict[str, list[float]]:
    """One call after the other, as Slurm makes them: at most one a second, so that none meets the one before it."""
    arrived: asyncio.Queue[float] = asyncio.Queue()

    async def take(message: AbstractIncomingMessage) -> None:
        arrived.put_nowait(time.perf_counter())
        await message.ack()

    found: dict[str, list[float]] = {"wall": [], "cpu": [], "arrived": []}
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(COMMANDS_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(
            "tresor.burst-scheduler.commands", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await queue.bind(exchange, "burst-scheduler.#")
        await queue.consume(take)
        for number in range(calls):
            began = time.perf_counter()
            wall, cpu = await asyncio.to_thread(_call, hooks, resume_file, number)
            at = await asyncio.wait_for(arrived.get(), 60)
            for name, value in (("wall", wall), ("cpu", cpu), ("arrived", 1000 * (at - began))):
                found[name].append(value)
    return found


def _away(hooks: Hooks, resume_file: Path, calls: int) -> dict[str, list[float]]:
    taken = [_call(hooks, resume_file, number) for number in range(calls)]
    return {"wall": [wall for wall, _ in taken], "cpu": [cpu for _, cpu in taken]}


def _call(hooks: Hooks, resume_file: Path, number: int) -> tuple[float, float]:
    """Milliseconds until it returned, and of CPU time."""
    is_big = number % 10 == 0
    environment = {"SLURM_RESUME_FILE": str(resume_file)} if is_big else {}
    nodes = f"cloud[0-{JOBS - 1}]" if is_big else f"cloud{number}"
    program = str(hooks.programs["ResumeProgram"])
    began = time.perf_counter()
    process = os.posix_spawn(program, [program, nodes], environment)
    _, status, used = os.wait4(process, 0)
    wall = 1000 * (time.perf_counter() - began)
    if status:
        raise RuntimeError(f"the hook ended with {status}")
    return wall, 1000 * (used.ru_utime + used.ru_stime)


def report(found: dict[str, Any]) -> str:
    """What it took, and whether it holds."""
    lines = ["Slurm's hook, from its start (every tenth call with 1,000 jobs in its file)"]
    for place, words in (("there", "the broker is there"), ("away", "the broker is away")):
        wall, cpu = found[place]["wall"], found[place]["cpu"]
        lines.append(
            f"  {words}: returns p50 {quantile(wall, 0.5):.0f} ms, p99 {quantile(wall, 0.99):.0f} ms; "
            f"CPU {quantile(cpu, 0.5):.0f} ms"
        )
    arrived = found["there"]["arrived"]
    lines.append(
        f"  its command is at the broker: p50 {quantile(arrived, 0.5):.0f} ms, p99 {quantile(arrived, 0.99):.0f} ms"
    )
    lines.append(f"  must: p99 {MUST_MILLISECONDS:.0f} ms   {'holds' if is_met(found) else 'MISSED'}")
    return "\n".join(lines)


def is_met(found: dict[str, Any]) -> bool:
    """Whether a hook returns in time, whether the broker is there or not."""
    return all(quantile(found[place]["wall"], 0.99) <= MUST_MILLISECONDS for place in ("there", "away"))


def main() -> int:
    """Run it; 1 when the must is missed."""
    own = start_own("bench-hook", Console())
    try:
        found = asyncio.run(measure(own.access()))
    finally:
        own.remove()
    print(report(found))
    return 0 if is_met(found) else 1


if __name__ == "__main__":
    sys.exit(main())
