"""From the order of a quarantine to nothing passing: `python -m tests.bench.quarantine`.

network-policy and the twin are processes of their own. The span begins when the command is handed to the broker. It ends
twice: when the last port is out of service, and when it is told, after Neutron was looked at again.
"""

import argparse
import asyncio
import secrets
import sys
import time
from functools import partial
from typing import Any

from bootstrap.backing import Backing, start_own
from bootstrap.console import Console
from contracts.network_policy import QuarantineWorkspace, WorkspaceQuarantined
from contracts.provisioner import NodeActive
from contracts.workspace import Workspace
from tests.bench.drift import Place, standing
from tests.network_policy.stage import Sdk, Stage

SERVERS = 100
ROUNDS = 3
MUST_SECONDS = 2.0


async def populated(place: Place, number: int, servers: int) -> Stage:
    """A workspace with that many compute nodes, a floating IP on one of them."""
    stage = Stage(place.site, place.twin.clouds_file)
    stage.name, stage.subnet = f"many-{number}-{secrets.token_hex(2)}", number
    await stage.build()
    roles = [{"name": "compute", "count": servers, "flavor": "tre.small", "image": "tiny", "networks": ["cluster"]}]
    document: Workspace = stage.document(roles=roles, flows=[{"from": "compute", "to": "compute", "ports": ["22"]}])
    await stage.declare(document)
    groups = (await stage.enforced()).groups

    def make(c: Sdk) -> list[tuple[str, str, str]]:
        made = [
            c.network.create_port(
                name=f"{stage.name}-compute-{n}", project_id=stage.project, network_id=stage.network,
                security_groups=[groups["compute"]], device_owner="compute:nova", device_id=f"vm-{stage.name}-{n}",
            )
            for n in range(servers)
        ]  # fmt: skip
        public = c.network.find_network("public")
        c.network.create_ip(floating_network_id=public.id, project_id=stage.project, port_id=made[0].id)
        return [(port.id, port.name, port.fixed_ips[0]["ip_address"]) for port in made]

    for port_id, name, address in await stage.cloud(make):
        await place.site.tell(
            NodeActive(
                workspace=stage.name, generation=1, node=name, role="compute", server_id=f"vm-{name}",
                port_ids=(port_id,), addresses=(address,),
            )
        )  # fmt: skip
    await asyncio.sleep(5)  # the looks that the new ports are worth are over
    return stage


def _places(project_id: str, c: Sdk) -> list[tuple[bool, list[str]]]:
    """Of each node's port whether it is in service, and its groups."""
    return [
        (port.is_admin_state_up, port.security_group_ids)
        for port in c.network.ports(project_id=project_id)
        if not port.device_owner.startswith("network:")
    ]


async def measure(backing: Backing, servers: int = SERVERS, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Figures of each round, with a workspace of its own."""
    found = []
    async with standing(backing, 0) as place, place.site.open() as site:
        for number in range(rounds):
            stage = await populated(place, number, servers)
            before = (place.twin.writes() or [{"number": 0}])[-1]["number"]
            began, began_at = time.perf_counter(), time.time()
            await site.command(QuarantineWorkspace(workspace=stage.name, reason="the bench's alarm"), "sam")
            told = await site.tap.until(WorkspaceQuarantined, workspace=stage.name, seconds=60)
            seconds = time.perf_counter() - began
            puts = [each for each in place.twin.writes(before) if each["method"] == "PUT" and "/ports/" in each["path"]]
            ports = await stage.cloud(partial(_places, stage.project))
            assert ports == [(False, [told.group_id])] * servers, "a port is not cut off"
            found.append(
                {
                    "servers": told.servers,
                    "first_port_seconds": min(each["arrived_at"] for each in puts) - began_at,
                    "last_port_seconds": max(each["arrived_at"] for each in puts) - began_at,
                    "told_seconds": seconds,
                }
            )
    return found


def report(found: list[dict[str, Any]]) -> str:
    """A line per round, and whether the worst one holds."""
    worst = max(each["told_seconds"] for each in found)
    lines = [
        f"  {each['servers']} servers: first port down {each['first_port_seconds']:.2f} s, last "
        f"{each['last_port_seconds']:.2f} s, seen to be so and told {each['told_seconds']:.2f} s"
        for each in found
    ]
    verdict = "holds" if worst <= MUST_SECONDS else "MISSED"
    return "\n".join(
        ["quarantine, from the order", *lines, f"  worst {worst:.2f} s   must {MUST_SECONDS:.0f} s   {verdict}"]
    )


def main() -> int:
    """Run it; 1 when the must is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.quarantine")
    parser.add_argument("--servers", type=int, default=SERVERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    own = start_own("bench-quarantine", Console())
    try:
        found = asyncio.run(measure(own.access(), chosen.servers, chosen.rounds))
    finally:
        own.remove()
    print(report(found))
    return 0 if max(each["told_seconds"] for each in found) <= MUST_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
