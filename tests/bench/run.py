"""`python -m tests.bench`: ingest and latency, ours and others', in one run."""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from bootstrap.backing import start_own
from bootstrap.console import Console
from bootstrap.leases import BrokerLease, DatabaseLease
from shared.clock import SystemClock
from shared.db import close, open_pool
from shared.migrate import migrate
from tests.bench import ceilometer, commands, detections, drift, hook, image, isolation, quarantine
from tests.bench.publishing import fill, prepare

ROOT = Path(__file__).parents[2]
RESULT = ROOT / ".run" / "bench.json"
OURS = "tresor.security-monitor.notifications"
OSLO = "notifications.info"
SERVICE = "security-monitor"
OTHERS = frozenset({"aio-pika", "aio-pika-copy", "oslo-batch"})


def run_consumer(name: str, amqp: str, dsn: str, count: int, *during: str) -> dict[str, Any]:
    """One consumer's figures; `during` are the arguments of a publisher that runs beside it."""
    ours = name not in OTHERS
    as_in_the_image = ["tests.bench.image"] if ours else []
    command = [sys.executable, "-m", *as_in_the_image, "tests.bench.consumers", name, amqp, dsn, str(count)]
    environment = image.environment() if ours else None
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as consumer:
        assert consumer.stdout is not None
        if during:
            consumer.stdout.readline()  # it says that it consumes
            subprocess.run([sys.executable, "-m", "tests.bench.publishing", *during], cwd=ROOT, check=True)
        try:
            said, _ = consumer.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            consumer.kill()
            raise
    if consumer.returncode:
        raise RuntimeError(f"{name} ended with {consumer.returncode}")
    found: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return found


async def _schema(database: DatabaseLease) -> str:
    """A database with security-monitor's tables; its address for the service's role."""
    await database.create()
    dsn = database.dsn(SERVICE)
    pool = await open_pool(dsn, SERVICE, SystemClock())
    await migrate(pool, SERVICE)
    await close(pool)
    return dsn


def ingest_pass(
    amqp: str, dsn: str, superuser: str, names: list[str], counts: dict[str, int], seed: int
) -> dict[str, Any]:
    """One pass over all consumers, each with a queue filled for it alone."""
    found: dict[str, Any] = {}
    for name in names:
        queue = OSLO if name in ("oslo-batch", "ceilometer") else OURS
        count = counts.get(name, counts["*"])
        prepare(amqp, queue, durable=queue == OURS)
        fill(amqp, queue, count, seed)
        if name == "ceilometer":
            found[name] = ceilometer.run(amqp, queue, count)
        else:
            found[name] = run_consumer(name, amqp, dsn if name.startswith("tresor") else superuser, count)
        print(
            f"  {name:<16} {found[name]['messages_per_second']:>9,.0f}/s  {found[name]['cpu_us_per_message']:>7.1f} µs",
            flush=True,
        )
    return found


def latency_pass(amqp: str, dsn: str, per_second: int, seconds: float) -> dict[str, Any]:
    """Publish → durable at an even rate, publisher and consumer in processes of their own."""
    prepare(amqp, OURS, durable=True)
    found = run_consumer("latency", amqp, dsn, int(per_second * seconds), "pace", amqp, str(per_second), str(seconds))
    print(f"  latency {per_second:>5}/s   p50 {found['p50_ms']:.2f} ms  p99 {found['p99_ms']:.2f} ms", flush=True)
    return found


def medians(passes: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """The median of each figure over the passes."""
    return {
        name: {figure: statistics.median(one[name][figure] for one in passes) for figure in passes[0][name]}
        for name in sorted(passes[0])
    }


def targets(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """The must column for ingest and latency, each with what was reached."""
    ours = found["tresor"]["messages_per_second"]

    def ratio(name: str) -> float | None:
        return ours / found[name]["messages_per_second"] if name in found else None

    wanted: list[tuple[str, float | None, float, bool]] = [
        ("durable ingest / Ceilometer's best", ratio("ceilometer"), 6, True),
        ("durable ingest / oslo batch listener", ratio("oslo-batch"), 5, True),
        ("durable ingest / aio-pika + COPY", ratio("aio-pika-copy"), 2, True),
        ("decode, decision, outbox: messages/s", found["tresor-decided"]["messages_per_second"], 10_000, True),
        ("decode, decision, outbox: own µs", found["tresor-decided"]["cpu_us_per_message"], 100, False),
        ("publish → durable at 1,000/s: p50 ms", found["latency-1000"]["p50_ms"], 2, False),
        ("publish → durable at 1,000/s: p99 ms", found["latency-1000"]["p99_ms"], 20, False),
        ("memory of ingest, MB", found["tresor"]["megabytes"], 80, False),
    ]
    return [
        {
            "what": what,
            "found": value,
            "must": bound,
            "at_least": least,
            "met": None if value is None else (value >= bound) == least or value == bound,
        }
        for what, value, bound, least in wanted
    ]


def cpu_ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Others' own CPU a message against ours: the same on a busy machine and on an idle one."""
    ours = found["tresor"]["cpu_us_per_message"]
    others = ("ceilometer", "oslo-batch", "aio-pika-copy", "aio-pika", "tresor-pika")
    return {name: found[name]["cpu_us_per_message"] / ours for name in others if name in found}


def show(found: dict[str, dict[str, float]], judged: list[dict[str, Any]]) -> None:
    """The two tables."""
    print(f"\n{'consumer, one process':<28}{'msgs/s':>10}{'own CPU µs/msg':>16}{'MB':>8}{'p50 ms':>9}{'p99 ms':>9}")
    for name, figures in found.items():
        more = "".join(f"{figures[key]:>9.2f}" for key in ("p50_ms", "p99_ms") if key in figures)
        print(
            f"{name:<28}{figures['messages_per_second']:>10,.0f}{figures['cpu_us_per_message']:>16.1f}"
            f"{figures['megabytes']:>8.0f}{more}"
        )
    if "tresor" in found:
        ratios = ", ".join(f"{name} {ratio:.1f}" for name, ratio in cpu_ratios(found).items())
        print(f"\nown CPU a message, in multiples of ours: {ratios}")
    print(f"\n{'must':<44}{'bound':>10}{'found':>12}")
    for one in judged:
        value = "not measured" if one["found"] is None else f"{one['found']:,.2f}"
        sign = "≥" if one["at_least"] else "≤"
        print(
            f"{one['what']:<44}{sign + format(one['must'], ',g'):>10}{value:>12}  {'' if one['met'] is None else 'met' if one['met'] else 'MISSED'}"
        )


def main() -> int:
    """Run it all; 1 when a must that was measured is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--latency-seconds", type=float, default=10)
    parser.add_argument("--only", nargs="*", help="these consumers only; no verdict")
    chosen = parser.parse_args()
    console = Console()
    own = start_own("bench", console)  # never a shared one: others' work would be measured as well
    backing = own.access()
    broker = BrokerLease(backing.broker, "bench", "bench-openstack")
    database = DatabaseLease(backing.database, "bench")
    try:
        asyncio.run(broker.create())
        dsn = asyncio.run(_schema(database))
        amqp, superuser = broker.openstack_url, database.dsn()
        has_ceilometer = not chosen.only and ceilometer.install()
        names = ["tresor", "tresor-pika", "aio-pika", "aio-pika-copy", "oslo-batch", "tresor-decided"]
        names = chosen.only or [*names, *(["ceilometer"] if has_ceilometer else [])]
        counts = {"*": chosen.messages, "ceilometer": max(chosen.messages * 2 // 5, 5000)}
        print("warming up", flush=True)
        ingest_pass(amqp, dsn, superuser, ["tresor"], {"*": 10_000}, seed=0)
        passes = []
        for number in range(chosen.passes):
            print(f"pass {number + 1} of {chosen.passes}, {chosen.messages} notifications", flush=True)
            turned = names[number % len(names) :] + names[: number % len(names)]  # nobody is always first
            found = ingest_pass(amqp, dsn, superuser, turned, counts, seed=number + 1)
            if not chosen.only:
                for rate in (200, 1000):
                    found[f"latency-{rate}"] = latency_pass(amqp, dsn, rate, chosen.latency_seconds)
            passes.append(found)
        settled = medians(passes)
        judged = [] if chosen.only else targets(settled)
        show(settled, judged)
        if not chosen.only:
            print(commands.report(asyncio.run(commands.measure(backing))))
            print(detections.report(detections.measure(20)))
            print(isolation.report(isolation.measure(100))[0])
            print(drift.report(asyncio.run(drift.measure(backing))))
            print(quarantine.report(asyncio.run(quarantine.measure(backing))))
            print(hook.report(asyncio.run(hook.measure(backing))))
        if not chosen.only and not has_ceilometer:
            print("Ceilometer's notification agent: not installable here")
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(
            json.dumps(
                {
                    "medians": settled,
                    "cpu_ratios": cpu_ratios(settled) if "tresor" in settled else {},
                    "targets": judged,
                    "passes": passes,
                },
                indent=1,
            )
        )
        return 1 if any(one["met"] is False for one in judged) else 0
    finally:
        asyncio.run(broker.drop())
        asyncio.run(database.drop())
        backing.close()
