"""Row I1: the same document makes bare metal, through Nova and Ironic; the hardware pool is checked first."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.provisioner import CreateWorkspace, DeleteWorkspace, NodeActive
from shared.testing import Site
from tests.place import Place
from tests.provisioner.neighbours import Neighbours
from tests.provisioner.running import ended, problems_of, ready, started
from tests.provisioner.tenant import Tenant, role

HARDWARE_SECONDS = 240
"""Nova's resource tracker tells Placement of a new node once a minute."""


def free(place: Place) -> int:
    """How many nodes Placement would give."""
    asked = {"resources": "CUSTOM_BAREMETAL:1"}
    answer = place.admin.placement.get("/allocation_candidates", params=asked, microversion="1.29")
    return len(answer.json()["allocation_requests"])


@pytest.fixture
async def machine(place: Place) -> AsyncIterator[Any]:
    """A node of fake hardware that Nova may use."""
    nodes = place.system.baremetal

    def enroll() -> Any:
        tag = secrets.token_hex(3)
        node = nodes.create_node(
            name=f"prv-bm-{tag}",
            driver="fake-hardware",
            resource_class="baremetal",
            properties={"cpus": 8, "memory_mb": 16384, "local_gb": 100, "cpu_arch": "x86_64"},
        )
        nodes.create_port(node_id=node.id, address=f"52:54:00:{tag[:2]}:{tag[2:4]}:{tag[4:]}")
        for target in ("manage", "provide"):
            nodes.set_node_provision_state(node, target, wait=True, timeout=60)
        nodes.set_node_power_state(node, "power off", wait=True, timeout=60)  # Nova takes none of unknown power
        return node

    node = await asyncio.to_thread(enroll)
    yield node

    def remove() -> None:
        nodes.set_node_maintenance(node)
        with contextlib.suppress(Exception):
            nodes.wait_for_nodes_provision_state([node], "available", timeout=60, fail=False)
        nodes.delete_node(node)

    await asyncio.to_thread(remove)


async def test_i1_a_role_of_bare_metal_is_a_server_like_any_other(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant, machine: Any
) -> None:
    await started(site, place)
    async with asyncio.timeout(HARDWARE_SECONDS):
        while not await asyncio.to_thread(free, place):
            await asyncio.sleep(1)
    roles = [role(name="login"), role(name="fat", flavor="bm", hardware="baremetal")]
    done = await ready(site, tenant, roles=roles)
    assert done.nodes == 2
    active = {event.role: event for event in site.tap.of(NodeActive, tenant.name)}
    servers = {server.id: server for server in tenant.servers()}
    assert servers[active["fat"].server_id].flavor["original_name"] == "bm"
    assert place.system.baremetal.get_node(machine.id).instance_id == active["fat"].server_id
    deletion = await site.command(DeleteWorkspace(workspace=tenant.name))
    assert await ended(site, deletion) == "applied"


async def test_i1_more_bare_metal_than_is_free_is_refused_before_anything_is_made(
    site: Site, place: Place, neighbours: Neighbours, tenant: Tenant
) -> None:
    await started(site, place)
    many = tenant.document(roles=[role(name="fat", count=50, flavor="bm", hardware="baremetal")])
    problems = await problems_of(site, await site.command(CreateWorkspace(document=many)))
    assert [problem.field for problem in problems] == ["document.roles"]
    assert "50 bare-metal nodes" in problems[0].reason
    assert tenant.project_id is None
