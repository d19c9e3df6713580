"""What Neutron says: of one workspace's surroundings on the common path, of the whole cloud in the full scan."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from openstack.connection import Connection

from network_policy.cloud import reading
from network_policy.cloud.listing import everything, project_ids, trunks
from network_policy.domain.rule import RemoteKind
from network_policy.domain.topology import ROUTER_INTERFACES
from network_policy.domain.world import Group, Port, Trunk, World
from shared.cloud import Cloud

T = TypeVar("T")


class ObservingCloud:
    """Reads; changes nothing, but that Neutron makes a project's default group when its groups are listed."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def _get(self, fn: Callable[[Connection], T]) -> T:
        return await self._cloud.call(fn)

    async def groups(self, project_id: str) -> tuple[Group, ...]:
        """The project's groups with their rules; the default group is among them even if it wasn't made before."""
        return await self._get(
            lambda c: everything(c, "/security-groups", "security_groups", reading.group, project_id=project_id)
        )

    async def groups_of_ids(self, group_ids: Iterable[str]) -> tuple[Group, ...]:
        """Those of the groups that exist, whosever they are."""
        wanted = tuple(group_ids)
        return await self._get(lambda c: everything(c, "/security-groups", "security_groups", reading.group, id=wanted))

    async def port(self, port_id: str) -> Port | None:
        """The port as it is, asked for ahead of any listing; None when it is gone."""
        found = await self._cloud.call(
            lambda c: everything(c, "/ports", "ports", reading.port, id=port_id), urgent=True
        )
        return found[0] if found else None

    async def ports(self, project_id: str) -> tuple[Port, ...]:
        """The project's ports."""
        return await self._get(lambda c: everything(c, "/ports", "ports", reading.port, project_id=project_id))

    async def ports_in(self, group_ids: Iterable[str]) -> tuple[Port, ...]:
        """The ports in any of the groups, whosever they are."""
        wanted = tuple(group_ids)
        return await self._get(lambda c: everything(c, "/ports", "ports", reading.port, security_groups=wanted))

    async def project_ids(self) -> frozenset[str] | None:
        """All projects that exist; None where the account is not shown them all. Raises CloudError."""
        return await self._get(project_ids)

    async def surroundings(
        self, project_id: str, groups: tuple[Group, ...], ports: tuple[Port, ...], network_ids: Iterable[str]
    ) -> World:
        """What the workspace's ports can meet directly: on its networks, in its groups, through its routers."""
        networks = networks_of(network_ids, ports)
        group_ids = {group.id for group in groups}
        (there, members, net, subnets), (routers, floating, address_groups, sharings) = await asyncio.gather(
            asyncio.gather(
                self._get(lambda c: everything(c, "/ports", "ports", reading.port, network_id=networks)),
                self._get(lambda c: everything(c, "/ports", "ports", reading.port, security_groups=group_ids)),
                self._get(lambda c: everything(c, "/networks", "networks", reading.network, id=networks)),
                self._get(lambda c: everything(c, "/subnets", "subnets", reading.subnet, network_id=networks)),
            ),
            asyncio.gather(
                self._get(lambda c: everything(c, "/routers", "routers", reading.router, project_id=project_id)),
                self._get(
                    lambda c: everything(c, "/floatingips", "floatingips", reading.floating_ip, project_id=project_id)
                ),
                self._get(lambda c: everything(c, "/address-groups", "address_groups", reading.address_group)),
                self._get(
                    lambda c: everything(
                        c, "/rbac-policies", "rbac_policies", reading.sharing, object_id=networks | group_ids
                    )
                ),
            ),
        )
        all_ports = {port.id: port for port in (*there, *members, *ports)}
        known_routers = {router.id for router in routers}
        strange_routers = {
            port.device_id
            for port in all_ports.values()
            if port.device_owner.startswith(ROUTER_INTERFACES) and port.device_id not in known_routers
        }
        strange_groups = _named(groups, all_ports.values()) - group_ids
        more_groups, more_routers, carrying = await asyncio.gather(
            self.groups_of_ids(strange_groups),
            self._get(lambda c: everything(c, "/routers", "routers", reading.router, id=strange_routers)),
            self._trunks(all_ports.values()),
        )
        if more_groups:
            more_members = await self._get(
                lambda c: everything(c, "/ports", "ports", reading.port, security_groups=strange_groups)
            )
            all_ports |= {port.id: port for port in more_members}
        near = (trunk for trunk in carrying if not all_ports.keys().isdisjoint(trunk.subport_ids))
        parents = {trunk.port_id for trunk in near} - all_ports.keys()
        if parents:
            more_ports = await self._get(lambda c: everything(c, "/ports", "ports", reading.port, id=parents))
            all_ports |= {port.id: port for port in more_ports}
        return World(
            groups=_sorted(await self._with_named((*groups, *more_groups), all_ports.values())),
            ports=_sorted(all_ports.values()),
            networks=_sorted(net),
            subnets=_sorted(subnets),
            routers=_sorted((*routers, *more_routers)),
            floating_ips=_sorted(floating),
            address_groups=_sorted(address_groups),
            sharings=_sorted(sharings),
            trunks=_sorted(carrying),
        )

    async def _trunks(self, ports: Iterable[Port]) -> tuple[Trunk, ...]:
        """All trunks, where one of the ports is a subport: nothing else tells whose server is behind it."""
        if not any(port.is_subport for port in ports):
            return ()
        return await self._get(lambda c: trunks(c, reading.trunk))

    async def _with_named(self, groups: Iterable[Group], ports: Iterable[Port]) -> tuple[Group, ...]:
        """The groups, and those of other projects that the ports are in or that a rule names: one that can't be seen is
        taken to permit everything."""
        found, asked = {group.id: group for group in groups}, set[str]()
        while missing := _named(found.values(), ports) - found.keys() - asked:
            asked |= missing
            found |= {group.id: group for group in await self.groups_of_ids(missing)}
        return tuple(found.values())

    async def whole_world(self) -> World:
        """All projects' state. The lists are not of one instant: what changes meanwhile marks its workspace dirty."""
        (
            (groups, ports, networks, subnets),
            (routers, floating, address_groups, sharings, carrying),
        ) = await asyncio.gather(
            asyncio.gather(
                self._get(lambda c: everything(c, "/security-groups", "security_groups", reading.group)),
                self._get(lambda c: everything(c, "/ports", "ports", reading.port)),
                self._get(lambda c: everything(c, "/networks", "networks", reading.network)),
                self._get(lambda c: everything(c, "/subnets", "subnets", reading.subnet)),
            ),
            asyncio.gather(
                self._get(lambda c: everything(c, "/routers", "routers", reading.router)),
                self._get(lambda c: everything(c, "/floatingips", "floatingips", reading.floating_ip)),
                self._get(lambda c: everything(c, "/address-groups", "address_groups", reading.address_group)),
                self._get(lambda c: everything(c, "/rbac-policies", "rbac_policies", reading.sharing)),
                self._get(lambda c: trunks(c, reading.trunk)),
            ),
        )
        return World(
            groups=_sorted(groups),
            ports=_sorted(ports),
            networks=_sorted(networks),
            subnets=_sorted(subnets),
            routers=_sorted(routers),
            floating_ips=_sorted(floating),
            address_groups=_sorted(address_groups),
            sharings=_sorted(sharings),
            trunks=_sorted(carrying),
            whole=True,
        )


def _named(groups: Iterable[Group], ports: Iterable[Port]) -> set[str]:
    """The groups that the ports are in, and those that a rule of the groups names."""
    rules = (each.rule.remote for group in groups for each in group.rules)
    named = {remote.value for remote in rules if remote.kind is RemoteKind.GROUP}
    return named.union(*(port.group_ids for port in ports))


def networks_of(network_ids: Iterable[str], ports: Iterable[Port]) -> frozenset[str]:
    """The networks that a workspace's surroundings are on: its own, and those that its ports are on."""
    return frozenset({*network_ids, *(port.network_id for port in ports if not port.is_trusted)})


def _sorted(things: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted({thing.id: thing for thing in things}.values(), key=lambda thing: thing.id))  # type: ignore[attr-defined]
