"""Address groups as far ends, stateless groups and the internal network, on a real broker and database: rows I5, C3."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts.network_policy import DriftDetected, PolicyWithdrawn
from tests.network_policy.enclaves import SITE
from tests.network_policy.stage import Stage

NEVER = 3600.0


def site_file(folder: Path, **changes: Any) -> Path:
    path = folder / "another-site.yaml"
    path.write_text(yaml.safe_dump({**SITE.model_dump(mode="json", by_alias=True), **changes}))
    return path


async def held(stage: Stage) -> dict[str, list[str]]:
    """The addresses in the project's address groups, by name."""
    groups = await stage.cloud(lambda c: list(c.network.address_groups(project_id=stage.project)))
    return {each.name: sorted(each.addresses) for each in groups}


async def until_held(stage: Stage, name: str, addresses: list[str]) -> None:
    async with asyncio.timeout(30):
        while (await held(stage)).get(name) != sorted(addresses):
            await asyncio.sleep(0.1)


async def test_address_groups_follow_the_nodes(stage: Stage, tmp_path: Path) -> None:
    await stage.service(scan_seconds=NEVER, site_path=site_file(tmp_path, backend="agent"))
    groups, ports = await stage.standing()
    found = await stage.cloud(lambda c: {name: c.network.get_port(one).fixed_ips[0]["ip_address"] for name, one in ports.items()})  # fmt: skip
    compute = [f"{found[name]}/32" for name in found if name.startswith("compute")]
    await until_held(stage, f"tresor-{stage.name}-compute", compute)
    await until_held(stage, f"tresor-{stage.name}-login", [f"{found['login-0']}/32"])
    for group_id in groups.values():
        rules = await stage.rules(group_id)
        assert not [each for each in rules if each.remote_group_id]
        assert [each for each in rules if each.remote_address_group_id]
    new = await stage.node("compute", 7, groups)
    address = await stage.cloud(lambda c: c.network.get_port(new).fixed_ips[0]["ip_address"])
    await until_held(stage, f"tresor-{stage.name}-compute", [*compute, f"{address}/32"])
    await stage.cloud(lambda c: c.network.delete_port(new))
    await until_held(stage, f"tresor-{stage.name}-compute", compute)
    assert not stage.site.tap.of(DriftDetected)
    await stage.delete()
    await stage.site.tap.until(PolicyWithdrawn, workspace=stage.name)
    assert await held(stage) == {}


async def test_address_groups_of_a_site_that_names_roles_by_groups_since_go_with_the_workspace(
    stage: Stage, tmp_path: Path
) -> None:
    before = await stage.service(scan_seconds=NEVER, site_path=site_file(tmp_path, backend="agent"))
    await stage.standing()
    assert await held(stage)
    await stage.site.stop(before)
    await stage.service(scan_seconds=NEVER)
    await stage.delete()
    await stage.site.tap.until(PolicyWithdrawn, workspace=stage.name)
    assert await held(stage) == {}


async def test_a_stateless_role_has_a_stateless_group(stage: Stage) -> None:
    await stage.service(scan_seconds=NEVER)
    await stage.build()
    roles = [each.model_dump(mode="json") for each in stage.document().roles]
    await stage.declare(stage.document(roles=[roles[0], {**roles[1], "stateless": True}]))
    told = await stage.enforced()
    found = await stage.cloud(
        lambda c: {role: c.network.get_security_group(one).stateful for role, one in told.groups.items()}
    )
    assert found == {"login": True, "compute": False}


@pytest.mark.parametrize("known_by", ["name", "id", "prefix"])
async def test_a_tenants_port_on_the_internal_network_is_told_and_made_harmless_c3(
    stage: Stage, tmp_path: Path, known_by: str
) -> None:
    name = f"{stage.name}-internal-api"
    network = await stage.cloud(lambda c: c.network.create_network(name=name, is_shared=True))
    try:
        await stage.cloud(lambda c: c.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.254.7.0/24"))
        fields: dict[str, dict[str, Any]] = {
            "name": {"internal_api_network": name},
            "id": {"internal_api_network": network.id},
            "prefix": {"internal_api_prefixes": ["10.254.0.0/16"]},
        }
        await stage.service(scan_seconds=NEVER, site_path=site_file(tmp_path, **fields[known_by]))
        groups, _ = await stage.standing()
        port = await stage.cloud(
            lambda c: c.network.create_port(
                name=f"{stage.name}-compute-0", network_id=network.id, project_id=stage.project,
                security_groups=[groups["compute"]],
            )
        )  # fmt: skip
        told = await stage.site.tap.until(
            DriftDetected, workspace=stage.name, where=lambda event: any(one.port_id == port.id for one in event.drift)
        )
        assert {each.change for each in told.drift} == {"port-on-internal-network"}
        async with asyncio.timeout(20):
            while (found := await stage.cloud(lambda c: c.network.get_port(port.id))).security_group_ids == [
                groups["compute"]
            ]:
                await asyncio.sleep(0.1)
        (group_id,) = found.security_group_ids
        assert await stage.rules(group_id) == []
        await stage.cloud(lambda c: c.network.delete_port(port.id))
    finally:
        await stage.cloud(lambda c: [c.network.delete_port(each) for each in c.network.ports(network_id=network.id)])
        await stage.cloud(lambda c: c.network.delete_network(network.id))
