"""The cloud as observed with a place for every node that a document may have: what a plan's packets are compared in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_network

from contracts.site import Site
from contracts.workspace import Network as DeclaredNetwork
from contracts.workspace import NetworkClass, Workspace
from network_policy.domain.names import node_name
from network_policy.domain.outcome import NEW
from network_policy.domain.topology import ROUTER_INTERFACES
from network_policy.domain.world import Network, Port, Router, Subnet, World

LEAST_NODES = 2
"""Ports of each role on each of its networks: two, so that what passes within the role shows."""


@dataclass(frozen=True)
class Outlook:
    """`before` has the made-up ports in the groups that stand; a port of a role without a group is in none."""

    before: World
    roles: Mapping[str, str]
    """The role of each of the workspace's ports, made-up ones too."""
    made_up: Mapping[str, str]
    """The role of each made-up port."""


def outlook(
    document: Workspace,
    site: Site,
    project_id: str,
    observed: World,
    roles: Mapping[str, str],
    group_ids: Mapping[str, str],
) -> Outlook:
    """Two ports at least for each role on each network, on made-up networks where there are none yet.

    `roles`: of the ports that are there; `group_ids`: of the groups that stand, by role.
    """
    world, network_ids = _with_networks(document, site, project_id, observed)
    made: list[Port] = []
    made_up: dict[str, str] = {}
    used = {address for port in world.ports for address in port.addresses}
    free = {network.name: _free(network, used) for network in document.networks}
    for role in document.roles:
        for name in role.all_networks:
            there = sum(
                1 for port in world.ports if roles.get(port.id) == role.name and port.network_id == network_ids[name]
            )
            for index in range(there, LEAST_NODES):
                port_id = f"{NEW}{node_name(document.name, role.name, index)}/{name}"
                made_up[port_id] = role.name
                group_id = group_ids.get(role.name)
                made.append(
                    Port(
                        port_id, port_id, project_id, network_ids[name], next(free[name], ()),
                        group_ids=(group_id,) if group_id else (), device_owner="compute:nova", device_id=port_id,
                    )
                )  # fmt: skip
    return Outlook(replace(world, ports=(*world.ports, *made)), {**roles, **made_up}, made_up)


def moved_in(world: World, made_up: Mapping[str, str], group_ids: Mapping[str, str]) -> World:
    """The made-up ports in the groups of their roles."""
    return replace(
        world,
        ports=tuple(
            replace(port, group_ids=(group_ids[made_up[port.id]],))
            if port.id in made_up and made_up[port.id] in group_ids
            else port
            for port in world.ports
        ),
    )


def _with_networks(
    document: Workspace, site: Site, project_id: str, observed: World
) -> tuple[World, Mapping[str, str]]:
    found: dict[str, str] = {}
    networks, subnets, ports, routers = list(observed.networks), list(observed.subnets), [], list(observed.routers)
    for declared in document.networks:
        is_private = declared.network_class is NetworkClass.PRIVATE
        name = f"{document.name}-{declared.name}" if is_private else site.networks.get(declared.name, "")
        there = next((each for each in networks if each.name == name and (each.project_id == project_id or not is_private)), None)  # fmt: skip
        if there is not None:
            found[declared.name] = there.id
            continue
        network_id = found[declared.name] = f"{NEW}network/{declared.name}"
        networks.append(
            Network(network_id, name, project_id, external=not is_private, physical_network="" if is_private else name)
        )
        subnets += [
            Subnet(f"{network_id}/{prefix}", network_id, prefix) for prefix in (declared.cidr, declared.cidr6) if prefix
        ]
        if is_private and declared.routed:
            router = next((each for each in routers if each.project_id == project_id), None)
            if router is None:
                router = Router(f"{NEW}router", project_id, f"{NEW}outside" if site.external_network else None)
                routers.append(router)
                networks.append(Network(f"{NEW}outside", str(site.external_network), "", external=True))
            ports.append(
                Port(f"{network_id}/interface", "", project_id, network_id, (), port_security=False,
                     device_owner=ROUTER_INTERFACES[0], device_id=router.id)
            )  # fmt: skip
    return (
        replace(
            observed,
            networks=tuple(networks),
            subnets=tuple(subnets),
            ports=(*observed.ports, *ports),
            routers=tuple(routers),
        ),
        found,
    )


def _free(network: DeclaredNetwork, used: set[str]) -> Iterator[tuple[str, ...]]:
    """Addresses that nobody has, from the end of the prefixes, one of each for a port."""
    prefixes = [ip_network(prefix) for prefix in (network.cidr, network.cidr6) if prefix]
    for back in range(2, min(prefix.num_addresses for prefix in prefixes)):
        addresses = tuple(str(prefix[prefix.num_addresses - back]) for prefix in prefixes)
        if not used & set(addresses):
            yield addresses
