"""VLANs, direct ports and trunks through the whole chain: made, guarded, proven, deleted, with kills on the way.

Rows C4, C10 and C11.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts import network_policy, provisioner
from contracts.workspace import Workspace
from tests.system import chain as chains
from tests.system.chain import Chain, running_chain

NAME = "trunks"
VLAN = 317


@pytest.fixture
async def wired(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Chain]:
    """A site whose large nodes' hosts have two virtual functions each."""
    fields = {**yaml.safe_load((chains.DEMO / "site.yaml").read_text()), "direct_flavors": ["tre.large"]}
    place = tmp_path / "place"
    place.mkdir()
    (place / "site.yaml").write_text(yaml.safe_dump(fields))
    monkeypatch.setenv("TWIN_VIRTUAL_FUNCTIONS", "2")
    example = (chains.DEMO / "trunks.yaml").read_text()
    monkeypatch.setattr(chains, "DEMO", place)
    (place / "trunks.yaml").write_text(example)
    async with running_chain(broker, database, tmp_path) as running:
        yield running


def document(place: Path) -> Workspace:
    """The example, with a role of direct ports on its VLAN."""
    fields: dict[str, Any] = yaml.safe_load((place / "trunks.yaml").read_text())
    direct = {"name": "rdma", "count": 2, "flavor": "tre.large", "image": "tiny", "networks": ["fabric"]}
    fields["roles"].append({**direct, "vnic_type": "direct"})
    fields["flows"].append({"from": "rdma", "to": "self", "protocol": "udp", "ports": [4791], "note": "RoCEv2"})
    return Workspace.model_validate(fields)


async def killed_at(chain: Chain, step: str, seconds: float = 60.0) -> None:
    """Kill the provisioner as soon as it tells that step, and start it again."""
    service = chain.services["provisioner"]
    await chain.site.tap.until(
        provisioner.CHASSIS.effect, where=lambda event: event.step.startswith(step), seconds=seconds
    )
    await service.kill()
    await service.start()
    await service.ready()


async def test_a_workspace_on_trunks_vlans_and_direct_ports(wired: Chain, tmp_path: Path) -> None:
    await wired.create(document(tmp_path / "place"))
    await killed_at(wired, "trunk.create")
    ready = await wired.ready(NAME)
    assert ready.nodes == 6
    network = wired.cloud.network
    project = wired.cloud.identity.find_project(f"tre-{NAME}")
    fabric = network.find_network(f"{NAME}-fabric")
    assert (fabric.provider_network_type, fabric.provider_physical_network) == ("vlan", "physnet1")
    assert fabric.provider_segmentation_id == VLAN

    # The wires: one trunk for each gateway, direct ports bound to their hosts' adapters, all of it marked.
    ports = {port.id: port for port in network.ports(project_id=project.id)}
    names = {port.name: port for port in ports.values()}
    trunks = list(network.trunks(project_id=project.id))
    assert {
        (trunk.name, ports[trunk.port_id].name): {
            (ports[each["port_id"]].name, each["segmentation_id"]) for each in trunk.sub_ports
        }
        for trunk in trunks
    } == {
        (f"{NAME}-gateway-{number}-trunk", f"{NAME}-gateway-{number}-fabric"): {
            (f"{NAME}-gateway-{number}-data", 100),
            (f"{NAME}-gateway-{number}-control", 101),
        }
        for number in (0, 1)
    }
    assert {trunk.status for trunk in trunks} == {"ACTIVE"}
    assert all(trunk.tags == [f"tresor:{NAME}"] for trunk in trunks)
    direct = [names[f"{NAME}-rdma-{number}"] for number in (0, 1)]
    assert {(port.binding_vnic_type, port.binding_vif_type, port.status) for port in direct} == {
        ("direct", "hw_veb", "ACTIVE")
    }

    # Each of these ports is in its role's group and no other, and the proof says so; the subports' drift is mended.
    groups = {group.name: group.id for group in network.security_groups(project_id=project.id)}
    for port in (each for each in ports.values() if each.name.startswith(f"{NAME}-")):
        role = port.name.split("-")[1]
        assert port.security_group_ids == [groups[f"tresor-{NAME}-{role}"]], port.name
    answer = await wired.site.ask(network_policy.ShowIsolation(of=NAME))
    assert isinstance(answer, network_policy.IsolationShown)
    assert [one.verdict for one in answer.workspaces] == ["isolated"]
    network.update_port(names[f"{NAME}-gateway-0-data"], security_groups=[groups[f"tresor-{NAME}-store"]])
    repaired = await wired.site.tap.until(network_policy.DriftRepaired, workspace=NAME)
    assert repaired.workspace == NAME
    mended = network.get_port(names[f"{NAME}-gateway-0-data"].id)
    assert mended.security_group_ids == [groups[f"tresor-{NAME}-gateway"]]

    # Neutron is silent about subports: the provisioner's next look, here by any notification, puts one back.
    network.delete_trunk_subports(trunks[0], [{"port_id": trunks[0].sub_ports[0]["port_id"]}])
    network.update_port(trunks[0].port_id, description="any change that Neutron tells of")
    await wired.site.tap.until(provisioner.CHASSIS.effect, where=lambda event: event.step.startswith("trunk.add"))
    assert len(network.get_trunk(trunks[0].id).sub_ports) == 2

    await wired.site.command(provisioner.DeleteWorkspace(workspace=NAME))
    await killed_at(wired, "trunk.delete")
    await wired.site.tap.until(provisioner.WorkspaceDeleted, workspace=NAME, seconds=90)
    assert wired.cloud.identity.find_project(f"tre-{NAME}") is None
    assert not list(network.trunks())
    assert not [port for port in network.ports() if port.project_id == project.id]
    assert not [each for each in network.networks() if each.name.startswith(NAME)]


async def test_what_the_site_does_not_bear_is_refused_before_anything_is_made(wired: Chain, tmp_path: Path) -> None:
    made = document(tmp_path / "place").model_dump(mode="json", by_alias=True)
    made["networks"][0]["segmentation_id"] = 42
    made["roles"][-1]["flavor"] = "tre.small"
    await wired.create(Workspace.model_validate(made))
    refused = await wired.site.tap.until(provisioner.CHASSIS.rejected)
    assert [problem.field for problem in refused.problems] == [
        "document.networks.0.segmentation_id",
        "document.roles.3.vnic_type",
    ]
    assert wired.cloud.identity.find_project(f"tre-{NAME}") is None
