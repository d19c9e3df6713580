"""From Neutron's notification to the call that repairs it: `python -m tests.bench.drift`.

network-policy, the twin and an intruder are processes of their own. The span of a change begins when the twin emits its
notification and ends when the repair call arrives at the twin: both times are the twin's. A port that is changed again
before it was repaired counts from its first change.
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from bootstrap.backing import Backing, start_own
from bootstrap.console import Console
from bootstrap.leases import BrokerLease, DatabaseLease
from contracts.network_policy import PolicyEnforced
from shared.testing import Site
from tests.bench.twin_process import ROOT, TwinProcess, twin_process
from tests.network_policy.enclaves import SITE
from tests.network_policy.stage import Stage
from tests.system.chain import ServiceProcess, free_port

PER_SECOND = 100
SECONDS = 10
WORKSPACES = 20
PORT_SHARE = 0.2
MUST_P99_MILLISECONDS = 100.0
"""docs/performance: from the notification to the repair call at 100 changes/s."""
WARM_SECONDS = 2
SETTLE_SECONDS = 60


@dataclass
class Place:
    """What the storm goes over."""

    site: Site
    twin: TwinProcess
    service: ServiceProcess
    process: psutil.Process
    targets: list[dict[str, Any]]
    folder: Path
    http_port: int


@asynccontextmanager
async def standing(backing: Backing, workspaces: int, *, traced: bool = False) -> AsyncIterator[Place]:
    """network-policy and the twin as processes, with that many enforced workspaces of three nodes each."""
    name = secrets.token_hex(4)
    broker = BrokerLease(backing.broker, f"d-{name}", f"d-{name}-openstack")
    database = DatabaseLease(backing.database, f"d_{name}")
    await broker.create()
    await database.create()
    try:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            (folder / "site.yaml").write_text(yaml.safe_dump(SITE.model_dump(mode="json", by_alias=True)))
            site = Site(folder, broker.url_of, database.dsn, broker.url, openstack_url_of=broker.openstack_url_of)
            async with twin_process(folder, broker.openstack_url) as twin:
                http_port = free_port()
                environment = site.environment(
                    "network-policy",
                    cloud_name="tresor-network-policy",
                    clouds_path=twin.clouds_file,
                    http_port=http_port,
                    log_level="warning",
                    **({"traces_path": folder / "traces.jsonl"} if traced else {}),
                )
                service = ServiceProcess("network-policy", environment, folder / "service.log")
                await service.start()
                try:
                    await service.ready()
                    async with site.open():  # nobody listens during the storm: that would be measured as well
                        targets = [await workspace(site, twin, number) for number in range(workspaces)]
                    yield Place(site, twin, service, psutil.Process(service.pid), targets, folder, http_port)
                finally:
                    await service.stop()
    finally:
        await broker.drop()
        await database.drop()


async def workspace(site: Site, twin: TwinProcess, number: int) -> dict[str, Any]:
    """An enforced workspace with a login and two compute nodes: its groups and ports."""
    stage = Stage(site, twin.clouds_file)
    stage.name, stage.subnet = f"drift-{number}", number
    await stage.build()
    await stage.declare()
    enforced: PolicyEnforced = await stage.enforced()
    roles = (("login", 0), ("compute", 0), ("compute", 1))
    ports = [await stage.node(role, n, dict(enforced.groups)) for role, n in roles]
    groups = [group_id for role, group_id in enforced.groups.items() if role]
    return {"workspace": stage.name, "groups": groups, "ports": ports}


async def storm(place: Place, per_second: float, seconds: float, seed: int, port_share: float) -> list[dict[str, Any]]:
    """The intruder's changes, once they are all made."""
    orders = {
        "targets": place.targets,
        "changes": int(per_second * seconds),
        "per_second": per_second,
        "seed": seed,
        "port_share": port_share,
        "clouds_file": str(place.twin.clouds_file),
    }
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'deploy'}"}
    intruder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.intruder", env=environment, cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await intruder.communicate(json.dumps(orders).encode() + b"\n")
    if intruder.returncode:
        raise RuntimeError(f"the intruder ended with {intruder.returncode}")
    found: list[dict[str, Any]] = json.loads(said.splitlines()[-1])
    return found


def spans_milliseconds(
    changes: list[dict[str, Any]], notifications: list[dict[str, Any]], writes: list[dict[str, Any]]
) -> tuple[dict[str, list[float]], list[str]]:
    """By kind of change, from notification to repair call; and the changes that were not repaired."""
    emitted: dict[str, list[float]] = {}
    for each in notifications:
        kind = each["event_type"]
        if kind in ("security_group_rule.create.end", "port.update.end"):
            payload = each["payload"]
            resource = payload.get("security_group_rule") or payload.get("port") or {}
            is_own = (each.get("context") or {}).get("user_name", "").startswith("tresor-")
            if resource.get("id") and not is_own:
                emitted.setdefault(resource["id"], []).append(each["emitted_at"])
    calls: dict[str, list[float]] = {}
    for each in writes:
        if each["user_name"] == "tresor-network-policy" and each["method"] in ("DELETE", "PUT"):
            calls.setdefault(each["path"].rsplit("/", 1)[-1], []).append(each["arrived_at"])
    spans: dict[str, list[float]] = {"rule": [], "port": []}
    unrepaired = []
    for kind, resource_id in dict.fromkeys((each["kind"], each["id"]) for each in changes if each["status"] < 300):
        repairs = sorted(calls.get(resource_id, []))
        open_since: float | None = None
        for at, is_repair in sorted(
            [(at, False) for at in emitted.get(resource_id, [])] + [(at, True) for at in repairs]
        ):
            if not is_repair:
                open_since = at if open_since is None else open_since
            elif open_since is not None:
                spans[kind].append(1000 * (at - open_since))
                open_since = None
        if open_since is not None:
            unrepaired.append(resource_id)
    return {kind: sorted(found) for kind, found in spans.items()}, unrepaired


async def measure(
    backing: Backing,
    *,
    per_second: float = PER_SECOND,
    seconds: float = SECONDS,
    workspaces: int = WORKSPACES,
    port_share: float = PORT_SHARE,
    keep: Path | None = None,
) -> dict[str, Any]:
    """Figures of one storm."""
    async with standing(backing, workspaces, traced=keep is not None) as place:
        await asyncio.sleep(2)
        await storm(place, per_second / 4, WARM_SECONDS, seed=0, port_share=port_share)
        await asyncio.sleep(3)
        before = place.twin.writes()[-1]["number"]
        begun = place.twin.notifications()[-1]["emitted_at"]
        twin = psutil.Process(place.twin.pid)
        used, used_by_twin = cpu_seconds(place.process), cpu_seconds(twin)
        changes = await storm(place, per_second, seconds, seed=1, port_share=port_share)
        spent, spent_by_twin = cpu_seconds(place.process) - used, cpu_seconds(twin) - used_by_twin
        notifications = place.twin.notifications()
        for _ in range(SETTLE_SECONDS * 2):
            fresh = [each for each in notifications if each["emitted_at"] > begun]
            found, unrepaired = spans_milliseconds(changes, fresh, place.twin.writes(before))
            if not unrepaired:
                break
            await asyncio.sleep(0.5)
        models = await asyncio.to_thread(models_built, place.http_port)
        if keep is not None:
            await asyncio.to_thread(shutil.copy, place.folder / "traces.jsonl", keep)
            await asyncio.to_thread(shutil.copy, place.folder / "service.log", keep.with_suffix(".log"))
    together = sorted([*found["rule"], *found["port"]])
    return {
        "changes": len([each for each in changes if each["status"] < 300]),
        "refused": len([each for each in changes if each["status"] >= 300]),
        "measured": len(together),
        "unrepaired": len(unrepaired),
        "per_second": per_second,
        "workspaces": workspaces,
        "p50_ms": _at(together, 0.50),
        "p99_ms": _at(together, 0.99),
        "worst_ms": together[-1] if together else 0.0,
        **{f"{kind}_{name}_ms": _at(spans, share) for kind, spans in found.items() for name, share in _SHARES},
        "models_built": models,
        "cpu_share": spent / seconds,
        "twin_cpu_share": spent_by_twin / seconds,
        "cpu_ms_per_change": 1000 * spent / max(1, len(changes)),
    }


def models_built(http_port: int) -> dict[str, int]:
    """How many models of the cloud the service built to prove on, by why: `differs` and `failed` are defects."""
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(r'^tresor_isolation_models_built_total\{why="(\w+)"\} (\d+)', text, re.MULTILINE)
    return {why: int(count) for why, count in found}


def cpu_seconds(process: psutil.Process) -> float:
    """What it has used, in its own code and in the kernel."""
    times = process.cpu_times()
    return float(times.user + times.system)


_SHARES = (("p50", 0.50), ("p99", 0.99))


def _at(spans: list[float], share: float) -> float:
    return spans[min(len(spans) - 1, int(len(spans) * share))] if spans else 0.0


def report(found: dict[str, Any]) -> str:
    """A line per figure beside what it must be."""
    holds = found["p99_ms"] <= MUST_P99_MILLISECONDS and not found["unrepaired"]
    return "\n".join(
        [
            f"notification → repair call at {found['per_second']:.0f} changes/s over {found['workspaces']} workspaces,"
            f" {found['measured']} repairs",
            f"  p50 {found['p50_ms']:8.2f} ms",
            f"  p99 {found['p99_ms']:8.2f} ms   must {MUST_P99_MILLISECONDS:.0f} ms   {'holds' if holds else 'MISSED'}",
            f"  worst {found['worst_ms']:.1f} ms; rules p50 {found['rule_p50_ms']:.1f}, p99 {found['rule_p99_ms']:.1f} ms;"
            f" ports p50 {found['port_p50_ms']:.1f}, p99 {found['port_p99_ms']:.1f} ms;"
            f" {found['unrepaired']} not repaired",
            f"  {found['cpu_share']:.0%} of one core during the storm, {found['cpu_ms_per_change']:.2f} ms a change;"
            f" the twin {found['twin_cpu_share']:.0%}; models built: {found['models_built']}",
        ]
    )


def main() -> int:
    """Run it; 1 when the must is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.drift")
    parser.add_argument("--per-second", type=float, default=PER_SECOND)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--workspaces", type=int, default=WORKSPACES)
    parser.add_argument("--port-share", type=float, default=PORT_SHARE)
    parser.add_argument("--keep", type=Path, help="where to leave the service's traces and log")
    chosen = parser.parse_args()
    own = start_own("bench-drift", Console())
    backing = own.access()
    try:
        found = asyncio.run(
            measure(
                backing,
                per_second=chosen.per_second,
                seconds=chosen.seconds,
                workspaces=chosen.workspaces,
                port_share=chosen.port_share,
                keep=chosen.keep,
            )
        )
    finally:
        backing.close()
    print(report(found))
    return 0 if found["p99_ms"] <= MUST_P99_MILLISECONDS and not found["unrepaired"] else 1


if __name__ == "__main__":
    sys.exit(main())
