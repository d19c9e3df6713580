"""Ports that say the same MAC address (rows L7, L8): chosen by evidence alone, and removed on command."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.network_policy import (
    CHASSIS,
    Duplicate,
    DuplicateFound,
    DuplicatePort,
    DuplicateResolved,
    DuplicatesListed,
    ListDuplicates,
    RemoveDuplicate,
)
from network_policy.cloud import PolicyCloud
from network_policy.domain.duplicates import Looked, duplicate, same_macs, unchanged
from network_policy.domain.world import AddressPair, Port
from network_policy.handlers import duplicates
from tests.network_policy.stage import Stage

MAC = "fa:16:3e:00:00:42"
BOUND: dict[str, Any] = {"is_bound": True, "host": "hv1", "status": "ACTIVE", "has_device": True, "device_id": "vm"}
DEAD: dict[str, Any] = {"is_bound": False, "status": "DOWN", "has_device": False}


def told(port_id: str, **fields: Any) -> DuplicatePort:
    return DuplicatePort(port_id=port_id, network_id=f"net-of-{port_id}", **fields)


def judged(*ports: DuplicatePort) -> Duplicate:
    found = duplicate(MAC, ports)
    assert found is not None
    return found


def test_the_same_address_is_found_across_networks_l7() -> None:
    ports = [Port(name, name, "p", f"net{name}", mac_address=MAC.upper() if name == "b" else MAC) for name in "ab"]
    others = [Port("c", "c", "p", "neta", mac_address="fa:16:3e:00:00:43"), Port("d", "d", "p", "neta")]
    assert same_macs([*ports, *others]) == {MAC: {"a": "own", "b": "own"}}
    assert same_macs(ports[:1]) == {}


def test_a_port_that_may_send_from_anothers_address_says_it_too() -> None:
    owner = Port("a", "a", "p", "net", mac_address=MAC)
    pair = (AddressPair("10.0.0.9/32", MAC),)
    thief = Port("b", "b", "p", "net", mac_address="fa:16:3e:00:00:43", address_pairs=pair)
    elsewhere = Port("c", "c", "p", "other", mac_address="fa:16:3e:00:00:44", address_pairs=pair)
    assert same_macs([owner, thief, elsewhere]) == {MAC: {"a": "own", "b": "address-pair"}}
    assert same_macs([Port("a", "a", "p", "net", mac_address=MAC, address_pairs=pair)]) == {}


def test_what_is_nobodys_beside_somebodys_is_spurious_l7() -> None:
    found = judged(told("a", **BOUND), told("b", **DEAD, created_at="2026-11-21T10:00:00Z"))
    assert [each.port_id for each in found.spurious] == ["b"]
    assert found.spurious[0].reasons[0] == "bound to no host"
    assert any(reason.startswith("younger") for reason in found.spurious[0].reasons)
    assert (found.kind, found.hosts) == ("duplicate", ("hv1",))


@pytest.mark.parametrize(
    "second",
    [
        {**DEAD, "has_device": True},
        {**DEAD, "has_device": None},
        {**DEAD, "status": "ACTIVE"},
        {**DEAD, "is_bound": True, "host": "hv2"},
        {**DEAD, "says": "address-pair"},
    ],
)
def test_one_sign_of_life_is_enough_not_to_be_chosen(second: dict[str, Any]) -> None:
    assert judged(told("a", **BOUND), told("b", **second)).spurious == ()


def test_of_two_that_both_wait_for_a_device_none_is_chosen() -> None:
    assert judged(told("a", **DEAD), told("b", **DEAD, created_at="2026-11-21T10:00:00Z")).spurious == ()


def test_one_address_bound_on_two_hosts_flaps_l8() -> None:
    found = judged(told("a", **BOUND), told("b", **{**BOUND, "host": "ctl2"}))
    assert (found.kind, found.hosts, found.spurious) == ("flapping", ("ctl2", "hv1"), ())


def test_the_evidence_changes_with_what_is_seen_and_with_nothing_else() -> None:
    first = judged(told("a", **BOUND), told("b", **DEAD))
    again = judged(told("b", **DEAD, name="renamed", workspace="openhpc"), told("a", **BOUND))
    assert first.evidence == again.evidence
    for change in ({"is_bound": True}, {"status": "ACTIVE"}, {"has_device": None}, {"device_id": "vm2"}):
        assert judged(told("a", **BOUND), told("b", **{**DEAD, **change})).evidence != first.evidence


class Twins:
    """Two ports with one address: one that serves a server, one that nobody has."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.live = self.spurious = self.mac = ""

    async def make(self) -> None:
        """The second one on a network of its own, as Neutron wants it."""

        def made(c: Any) -> tuple[str, str, str]:
            server = next(iter(c.compute.servers(all_projects=True, name=f"{self.stage.name}-vm")))
            live = next(iter(c.network.ports(device_id=server.id)))
            network = c.network.create_network(name=f"{self.stage.name}-other", project_id=self.stage.project)
            c.network.create_subnet(
                network_id=network.id, project_id=self.stage.project, cidr="10.99.0.0/24", ip_version=4
            )
            other = c.network.create_port(
                network_id=network.id, project_id=self.stage.project, mac_address=live.mac_address, name="left-behind",
                security_groups=[],
            )  # fmt: skip
            return str(live.id), str(other.id), str(live.mac_address)

        def boot(c: Any) -> None:
            c.compute.create_server(
                name=f"{self.stage.name}-vm", flavor_id=c.compute.find_flavor("tre.small").id,
                image_id=c.image.find_image("tiny").id, networks=[{"uuid": self.stage.network}],
            )  # fmt: skip

        await self.stage.cloud(boot)
        async with asyncio.timeout(30):
            while not await self.stage.cloud(self._is_up):
                await asyncio.sleep(0.2)
        self.live, self.spurious, self.mac = await self.stage.cloud(made)

    def _is_up(self, c: Any) -> bool:
        found = list(c.compute.servers(all_projects=True, name=f"{self.stage.name}-vm"))
        if not found or found[0].status != "ACTIVE":
            return False
        return any(port.status == "ACTIVE" for port in c.network.ports(device_id=found[0].id))

    async def clear(self) -> None:
        """Leave nothing."""

        def remove(c: Any) -> None:
            for server in c.compute.servers(all_projects=True, name=f"{self.stage.name}-vm"):
                c.compute.delete_server(server)
            for network in c.network.networks(name=f"{self.stage.name}-other"):
                for port in c.network.ports(network_id=network.id):
                    if not (port.device_owner or "").startswith("network:"):
                        c.network.delete_port(port)
                c.network.delete_network(network)

        await self.stage.cloud(remove)


@pytest.fixture
async def twins(stage: Stage) -> Any:
    """Both ports, beside a workspace that stands, with a service that scans each second."""
    await stage.service(scan_seconds=1.0)
    await stage.standing()
    made = Twins(stage)
    await made.make()
    yield made
    await made.clear()


async def found_by(stage: Stage, mac: str) -> Duplicate:
    event = await stage.site.tap.until(DuplicateFound, where=lambda event: event.duplicate.mac_address == mac)
    return event.duplicate


async def refused_field(stage: Stage, command: RemoveDuplicate) -> str:
    """Which part of the command it is refused for."""
    command_id = await stage.site.command(command, "ana")
    refused = await stage.site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    return refused.problems[0].field


async def ports_left(stage: Stage, mac: str) -> set[str]:
    return await stage.cloud(lambda c: {str(each.id) for each in c.network.ports(mac_address=mac)})


async def test_a_spurious_port_is_found_shown_and_removed_on_command_l7(stage: Stage, twins: Twins) -> None:
    found = await found_by(stage, twins.mac)
    assert {each.port_id for each in found.ports} == {twins.live, twins.spurious}
    assert [each.port_id for each in found.spurious] == [twins.spurious]
    listed = await stage.site.ask(ListDuplicates())
    assert isinstance(listed, DuplicatesListed)
    assert [each.evidence for each in listed.duplicates] == [found.evidence]
    assert listed.scanned_at is not None
    await asyncio.sleep(2.5)
    assert len(stage.site.tap.of(DuplicateFound)) == 1  # told once, whatever is scanned
    command_id = await stage.site.command(RemoveDuplicate(port_id=twins.spurious, evidence=found.evidence), "ana")
    await stage.site.tap.until(CHASSIS.applied, where=lambda event: event.command_id == command_id)
    assert await ports_left(stage, twins.mac) == {twins.live}
    over = await stage.site.tap.until(DuplicateResolved)
    assert (over.mac_address, over.removed_port_id) == (twins.mac, twins.spurious)
    empty = await stage.site.ask(ListDuplicates())
    assert isinstance(empty, DuplicatesListed)
    assert empty.duplicates == ()


async def test_what_is_beyond_what_one_scan_looks_at_is_not_over(
    stage: Stage, twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hides a duplicate behind many of his own."""
    await found_by(stage, twins.mac)

    def more(c: Any) -> str:
        network = next(iter(c.network.networks(name=f"{stage.name}-other")))
        for each in (network.id, stage.network):
            c.network.create_port(network_id=each, project_id=stage.project, mac_address="00:00:5e:00:53:01")
        return "00:00:5e:00:53:01"

    monkeypatch.setattr(duplicates, "MAX_DUPLICATES", 0)
    assert stage.running is not None
    stage.running.runtime.context.looked_macs.clear()
    lower = await stage.cloud(more)
    await asyncio.sleep(4)
    assert not stage.site.tap.of(DuplicateResolved)
    monkeypatch.setattr(duplicates, "MAX_DUPLICATES", 1000)
    await found_by(stage, lower)


async def test_what_has_not_changed_is_not_looked_at_again(
    stage: Stage, twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    await found_by(stage, twins.mac)
    looks: list[str] = []
    sayers = PolicyCloud.sayers

    async def counted(self: PolicyCloud, mac_address: str, says: Any) -> Any:
        looks.append(mac_address)
        return await sayers(self, mac_address, says)

    monkeypatch.setattr(PolicyCloud, "sayers", counted)
    monkeypatch.setattr(duplicates, "REFRESHED_DUPLICATES", 0)
    assert stage.running is not None
    pool = stage.running.pool

    async def scans(count: int) -> None:
        """Until as many have ended that began after this."""
        query = "SELECT scanned_at FROM duplicate_scan"
        for _ in range(count + 1):
            before = await pool.fetchval(query)
            async with asyncio.timeout(60):
                while await pool.fetchval(query) == before:
                    await asyncio.sleep(0.1)

    await scans(1)
    looks.clear()
    await scans(1)
    assert looks == []
    assert not stage.site.tap.of(DuplicateResolved)
    await stage.cloud(lambda c: c.network.update_port(twins.spurious, description="changed"))
    await scans(1)
    assert looks[:1] == [twins.mac]


def test_the_oldest_looks_are_made_again() -> None:
    """Whether a port's device is there changes without the port."""
    at = datetime(2026, 11, 21, tzinfo=UTC)
    revisions = dict.fromkeys("abcd", (("p", 1), ("q", 2)))
    looked = {mac: Looked(revisions[mac], None, at + timedelta(seconds=n)) for n, mac in enumerate("cab")}
    assert unchanged(revisions, looked, 0) == {"a", "b", "c"}
    assert unchanged(revisions, looked, 1) == {"a", "b"}
    assert unchanged({**revisions, "a": (("p", 1), ("q", 3))}, looked, 1) == {"b"}


async def test_a_port_that_was_bound_meanwhile_is_not_removed_l7(stage: Stage, twins: Twins) -> None:
    found = await found_by(stage, twins.mac)
    live = await stage.cloud(lambda c: c.network.get_port(twins.live))
    host = "hv1" if live.binding_host_id != "hv1" else "hv2"
    await stage.cloud(lambda c: c.network.update_port(twins.spurious, binding_host_id=host))
    command_id = await stage.site.command(RemoveDuplicate(port_id=twins.spurious, evidence=found.evidence), "ana")
    refused = await stage.site.tap.until(CHASSIS.rejected, where=lambda event: event.command_id == command_id)
    assert refused.problems[0].field in ("evidence", "port_id")
    assert await ports_left(stage, twins.mac) == {twins.live, twins.spurious}
    flapping = await stage.site.tap.until(DuplicateFound, where=lambda event: event.duplicate.kind == "flapping")
    assert len(flapping.duplicate.hosts) == 2
    assert flapping.duplicate.spurious == ()


async def test_nothing_but_a_spurious_port_is_removed_l7(stage: Stage, twins: Twins) -> None:
    found = await found_by(stage, twins.mac)
    for port_id in (twins.live, "0d3c7a52-19f1-4e0c-a6a6-7a5a7d0b9c02"):
        assert await refused_field(stage, RemoveDuplicate(port_id=port_id, evidence=found.evidence)) == "port_id"
    stale = RemoveDuplicate(port_id=twins.spurious, evidence="sha256:" + "0" * 64)
    assert await refused_field(stage, stale) == "evidence"
    assert await ports_left(stage, twins.mac) == {twins.live, twins.spurious}
