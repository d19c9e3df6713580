"""Ceilometer's notification agent, in an environment of its own, at its best known setting: batches of 1,000, two workers."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pika
import psutil

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".run" / "bench-ceilometer"
AGENT = HOME / "venv" / "bin" / "ceilometer-agent-notification"
VERSION = "ceilometer==27.*"
WORKERS = 2
BATCH = 1000

_CONFIGURATION = """
[DEFAULT]
transport_url = {url}
[notification]
workers = {workers}
batch_size = {batch}
batch_timeout = 1
messaging_urls = {url}
notification_control_exchanges = nova
[event]
definitions_cfg_file = {home}/event_definitions.yaml
[oslo_messaging_rabbit]
rabbit_qos_prefetch_count = {batch}
"""
_EVENTS = """
sources:
  - name: events
    events: ["*"]
    sinks: [file]
sinks:
  - name: file
    publishers: ["file://{home}/events.jsonl?json"]
"""
_METERS = """
sources:
  - name: meters
    meters: ["*"]
    sinks: [file]
sinks:
  - name: file
    publishers: ["file://{home}/meters.jsonl?json"]
"""


def install() -> bool:
    """Have the agent; False when it can't be installed here."""
    if AGENT.exists():
        return True
    uv = shutil.which("uv") or str(ROOT / ".tools" / "uv" / "bin" / "uv")
    try:
        subprocess.run([uv, "venv", "-q", "--python", "3.11", str(HOME / "venv")], check=True, timeout=120)
        subprocess.run(
            [uv, "pip", "install", "-q", "-p", str(HOME / "venv" / "bin" / "python"), VERSION], check=True, timeout=600
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return AGENT.exists()


def _configure(amqp: str) -> Path:
    url = amqp.replace("amqp://", "rabbit://")
    (HOME / "ceilometer.conf").write_text(_CONFIGURATION.format(url=url, workers=WORKERS, batch=BATCH, home=HOME))
    (HOME / "event_pipeline.yaml").write_text(_EVENTS.format(home=HOME))
    (HOME / "pipeline.yaml").write_text(_METERS.format(home=HOME))
    for old in HOME.glob("*.jsonl*"):
        old.unlink()
    return HOME / "ceilometer.conf"


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        used = process.cpu_times()
        total += used.user + used.system
    return total


def run(amqp: str, queue: str, count: int) -> dict[str, Any]:
    """Its figures over a queue that holds `count`: from the first message taken until the queue is empty.

    What is prefetched and unfinished when the queue is empty is not counted as done.
    """
    configuration = _configure(amqp)
    with (HOME / "agent.log").open("w") as log:
        agent = subprocess.Popen(
            [str(AGENT), "--config-file", str(configuration), "--config-dir", str(HOME)],
            stdout=log,
            stderr=log,
            cwd=HOME,
        )
    connection = pika.BlockingConnection(pika.URLParameters(amqp))
    channel = connection.channel()
    try:
        began = 0.0
        cpu = 0.0
        ready_at_begin = count
        deadline = time.monotonic() + 240
        while True:
            ready = channel.queue_declare(queue, passive=True).method.message_count
            now = time.perf_counter()
            family = [psutil.Process(agent.pid), *psutil.Process(agent.pid).children(recursive=True)]
            if not began and ready < count:
                began, cpu, ready_at_begin = now, _cpu_seconds(family), ready
            if began and ready == 0:
                break
            if time.monotonic() > deadline or agent.poll() is not None:
                raise RuntimeError(f"the agent took only {count - ready} of {count}; see {HOME / 'agent.log'}")
            time.sleep(0.02)
        seconds, used = now - began, _cpu_seconds(family) - cpu
        done = ready_at_begin
        return {
            "messages": done,
            "seconds": seconds,
            "messages_per_second": done / seconds,
            "cpu_us_per_message": used / done * 1e6,
            "megabytes": sum(process.memory_info().rss for process in family) / 2**20,
        }
    finally:
        connection.close()
        for process in psutil.Process(agent.pid).children(recursive=True) if agent.poll() is None else []:
            process.terminate()
        agent.terminate()
        try:
            agent.wait(15)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()
