"""Command → decision → confirmed event: from the publish of a signed command to the arrival of the event it caused.

`python -m tests.bench.commands`. Publisher and service are processes of their own; the commands are signed beforehand.
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
import psutil
from aio_pika.abc import AbstractIncomingMessage

from bootstrap.backing import Backing, start_own
from bootstrap.console import Console
from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import provisioner
from contracts.envelope import COMMANDS_EXCHANGE, CONTENT_TYPE, EVENTS_EXCHANGE, SIGNATURE_HEADER
from shared.testing import Site

RATE_PER_SECOND = 200
SECONDS = 10
MUST_MILLISECONDS = {"p50": 10.0, "p99": 50.0}
"""docs/performance: command to confirmed event at 200/s."""


async def measure(backing: Backing, rate_per_second: int = RATE_PER_SECOND, seconds: int = SECONDS) -> dict[str, Any]:
    """Latencies of `rate_per_second` commands for `seconds`, in milliseconds."""
    name = secrets.token_hex(4)
    broker = BrokerLease(backing.broker, f"b-{name}", f"b-{name}-openstack")
    database = DatabaseLease(backing.database, f"b_{name}")
    await broker.create()
    await database.create()
    try:
        with tempfile.TemporaryDirectory() as folder:
            site = Site(Path(folder), broker.url_of, database.dsn, broker.url)
            environment = {**os.environ, **site.environment("provisioner"), "TRESOR_LOG_LEVEL": "warning"}
            service = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.bench.echo", env=environment)
            try:
                return await _run(site, broker, psutil.Process(service.pid), rate_per_second, seconds)
            finally:
                service.terminate()
                await service.wait()
    finally:
        await broker.drop()
        await database.drop()


async def _run(
    site: Site, broker: BrokerLease, service: psutil.Process, rate_per_second: int, seconds: int
) -> dict[str, Any]:
    sent: dict[str, float] = {}
    heard: dict[str, float] = {}

    async def hear(message: AbstractIncomingMessage) -> None:
        if message.type == provisioner.WorkspaceDeleted.type:
            heard.setdefault(json.loads(message.body)["causationid"], time.perf_counter())

    connection = await aio_pika.connect(broker.url_of("operator"))
    async with connection:
        channel = await connection.channel(publisher_confirms=False)
        queue = await channel.declare_queue(f"tresor.operator.bench-{secrets.token_hex(4)}", exclusive=True)
        while True:  # until the service has declared the exchanges
            try:
                probe = await connection.channel()
                await probe.get_exchange(EVENTS_EXCHANGE)
                await probe.declare_queue("tresor.provisioner.commands", passive=True)
                break
            except aio_pika.exceptions.ChannelClosed:
                await asyncio.sleep(0.2)
        await queue.bind(EVENTS_EXCHANGE, "#")
        await queue.consume(hear, no_ack=True)
        exchange = await channel.get_exchange(COMMANDS_EXCHANGE, ensure=False)
        messages = [_signed(site, number) for number in range(rate_per_second * (seconds + 1))]
        await asyncio.sleep(2)
        used = sum(service.cpu_times()[:2])
        begin = time.perf_counter()
        for number, (command_id, message) in enumerate(messages):
            await asyncio.sleep(max(0.0, begin + number / rate_per_second - time.perf_counter()))
            sent[command_id] = time.perf_counter()
            await exchange.publish(message, provisioner.DeleteWorkspace.type)
        for _ in range(600):
            if len(heard) == len(messages):
                break
            await asyncio.sleep(0.1)
        used = sum(service.cpu_times()[:2]) - used
    counted = [command_id for command_id, _ in messages[rate_per_second:]]  # the first second warms up
    missing = [command_id for command_id in counted if command_id not in heard]
    assert not missing, f"{len(missing)} commands had no event"
    spans = sorted(1000 * (heard[one] - sent[one]) for one in counted)
    return {
        "commands": len(spans),
        "rate_per_second": rate_per_second,
        "p50_ms": spans[len(spans) // 2],
        "p99_ms": spans[len(spans) * 99 // 100],
        "worst_ms": spans[-1],
        "cpu_ms_per_command": 1000 * used / len(messages),
    }


def _signed(site: Site, number: int) -> tuple[str, aio_pika.Message]:
    envelope = site.command_envelope(provisioner.DeleteWorkspace(workspace=f"w-{number}"), "ana")
    body = envelope.model_dump_json(exclude_none=True).encode()
    headers: Any = {SIGNATURE_HEADER: site.keys.signer("ana").sign(body)}
    return envelope.id, aio_pika.Message(
        body, content_type=CONTENT_TYPE, user_id="operator", headers=headers, delivery_mode=2
    )


def report(found: dict[str, Any]) -> str:
    """A line per figure beside what it must be."""
    lines = [f"command → confirmed event at {found['rate_per_second']}/s, {found['commands']} commands"]
    for name, must in MUST_MILLISECONDS.items():
        value = found[f"{name}_ms"]
        lines.append(f"  {name} {value:8.2f} ms   must {must:.0f} ms   {'holds' if value <= must else 'MISSED'}")
    return "\n".join(
        [
            *lines,
            f"  worst {found['worst_ms']:.1f} ms, {found['cpu_ms_per_command']:.2f} ms of the service's CPU a command",
        ]
    )


if __name__ == "__main__":
    own = start_own("bench", Console())
    try:
        print(report(asyncio.run(measure(own.access()))))
    finally:
        own.remove()
