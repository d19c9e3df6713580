"""The world as it would stand once a workspace document is applied: for plans, and for tests without a cloud.

Nothing is asked of a cloud, so ids and addresses are made up: ids are the names that the service gives, addresses are
counted up in the document's prefixes. Two prospects at one site can be put together; their ids differ as names do.
"""

from collections.abc import Iterator
from dataclasses import fields
from ipaddress import ip_network

from contracts.site import Site
from contracts.workspace import Network as DeclaredNetwork
from contracts.workspace import NetworkClass, NodeRole, Workspace
from network_policy.domain.compile import Policy, Uncompilable, compile_policy
from network_policy.domain.filters import Claim
from network_policy.domain.names import DEFAULT_GROUP, group_name, node_name
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.topology import ROUTER_INTERFACES
from network_policy.domain.world import AddressGroup, Group, GroupRule, Network, Port, Router, Subnet, World

_TAKEN_ADDRESSES = 3
"""The prefix's own address, the gateway's and Neutron's DHCP port's: nodes come after these."""


def prospect(document: Workspace, site: Site, *, least_nodes: int = 0) -> tuple[World, Claim]:
    """The cloud with this workspace in it alone, its policy enforced and all its nodes there, and its claim.

    `least_nodes`: how many nodes each role has at least, so that a role which is empty until it bursts has ports to
    ask about; as many of them as the prefixes have room for. Raises Uncompilable, also for nodes that don't fit.
    The document has no problems (`contracts.documents.problems`) at the site.
    A network that the document only uses is taken as one with others on it and a way out: the document can't tell.
    """
    policy = compile_policy(document, site)
    project_id = f"{site.project_prefix}{document.name}"
    group_ids = {role: group_name(document.name, role) for role in policy.roles}
    nodes = _nodes(document, least_nodes)
    outside = f"{site.name}/{site.external_network}" if site.external_network else None
    networks = [_network(document, site, each, project_id) for each in document.networks]
    network_ids = dict(zip((each.name for each in document.networks), (each.id for each in networks), strict=True))
    routed = [each for each in document.networks if each.routed and each.network_class is NetworkClass.PRIVATE]
    ports = tuple(_ports(document, project_id, group_ids, network_ids, nodes))
    bound = _far_ends(policy, group_ids)
    world = World(
        groups=(
            *(_group(policy, role, group_ids[role], project_id, bound) for role in policy.roles),
            Group(f"{project_id}/{DEFAULT_GROUP}", DEFAULT_GROUP, project_id),
        ),
        ports=(*ports, *(_interface(document, project_id, network_ids[each.name], each) for each in routed)),
        networks=(
            *networks,
            *((Network(outside, str(site.external_network), site.name, external=True),) if outside else ()),
        ),
        subnets=tuple(
            Subnet(f"{network_ids[each.name]}/{prefix}", network_ids[each.name], prefix)
            for each in document.networks
            for prefix in (each.cidr, each.cidr6)
            if prefix
        ),
        routers=(Router(f"{project_id}/router", project_id, outside),) if routed else (),
        address_groups=_address_groups(policy, group_ids, project_id, ports),
        whole=True,
    )
    roles = {node_name(document.name, role.name, index): role.name for role, index in nodes}
    return world, Claim(
        document.name, project_id, policy, group_ids, {port.id: roles[port.device_id] for port in ports}
    )


def together(*worlds: World) -> World:
    """One cloud out of several; what stands in more than one, such as the external network, stands in it once."""
    parts = {
        field.name: tuple({each.id: each for world in worlds for each in getattr(world, field.name)}.values())
        for field in fields(World)
        if isinstance(getattr(worlds[0], field.name), tuple)
    }
    return World(**parts, whole=all(world.whole for world in worlds))


def _nodes(document: Workspace, least_nodes: int) -> list[tuple[NodeRole, int]]:
    """The declared nodes first, then the others: whose addresses come first is what the document says."""
    declared = [(role, index) for role in document.roles for index in range(role.count)]
    room = {each.name: _room(each) for each in document.networks}
    for role, _ in declared:
        for name in role.all_networks:
            room[name] -= 1
    if any(left < 0 for left in room.values()):
        raise Uncompilable(f"the prefixes of '{document.name}' have no room for all nodes")
    for role in document.roles:
        for index in range(role.count, least_nodes):
            if all(room[name] for name in role.all_networks):
                declared.append((role, index))
                for name in role.all_networks:
                    room[name] -= 1
    return declared


def _room(network: DeclaredNetwork) -> int:
    """How many nodes the network's narrowest prefix takes."""
    sizes = (ip_network(prefix).num_addresses for prefix in (network.cidr, network.cidr6) if prefix)
    return max(0, min(sizes) - _TAKEN_ADDRESSES - 1)


def _addresses(network: DeclaredNetwork) -> Iterator[tuple[str, ...]]:
    """The addresses of one node after the other."""
    prefixes = [ip_network(prefix) for prefix in (network.cidr, network.cidr6) if prefix]
    for number in range(_TAKEN_ADDRESSES, min(prefix.num_addresses for prefix in prefixes)):
        yield tuple(str(prefix[number]) for prefix in prefixes)


def _network(document: Workspace, site: Site, declared: DeclaredNetwork, project_id: str) -> Network:
    if declared.network_class is NetworkClass.PRIVATE:
        return Network(f"{project_id}/{declared.name}", f"{document.name}-{declared.name}", project_id)
    name = site.networks.get(declared.name)
    if name is None:
        raise Uncompilable(f"the site file names no network '{declared.name}'")
    return Network(
        f"{site.name}/{name}",
        name,
        site.name,
        external=declared.network_class in (NetworkClass.EXTERNAL, NetworkClass.SHARED_EXTERNAL),
        shared=declared.network_class in (NetworkClass.SHARED_INTERNAL, NetworkClass.SHARED_EXTERNAL),
        physical_network=name,
    )


def _ports(
    document: Workspace,
    project_id: str,
    group_ids: dict[str, str],
    network_ids: dict[str, str],
    nodes: list[tuple[NodeRole, int]],
) -> Iterator[Port]:
    free = {network.name: _addresses(network) for network in document.networks}
    for role, index in nodes:
        name = node_name(document.name, role.name, index)
        for network in role.all_networks:
            port_name = f"{name}-{network}" if len(role.all_networks) > 1 else name
            is_subport = network not in role.networks
            yield Port(
                id=port_name,
                name=port_name,
                project_id=project_id,
                network_id=network_ids[network],
                addresses=next(free[network]),
                group_ids=(group_ids[role.name],),
                device_owner="trunk:subport" if is_subport else "compute:nova",
                device_id=name,
                vnic_type=_vnic_type(role, is_subport=is_subport),
            )


def _vnic_type(role: NodeRole, *, is_subport: bool) -> str:
    if role.hardware == "baremetal":
        return "baremetal"
    return "normal" if is_subport else role.vnic_type


def _interface(document: Workspace, project_id: str, network_id: str, network: DeclaredNetwork) -> Port:
    prefixes = [ip_network(prefix) for prefix in (network.cidr, network.cidr6) if prefix]
    return Port(
        id=f"{network_id}/interface",
        name="",
        project_id=project_id,
        network_id=network_id,
        addresses=tuple(str(prefix[1 % prefix.num_addresses]) for prefix in prefixes),
        port_security=False,
        device_owner=ROUTER_INTERFACES[0],
        device_id=f"{project_id}/router",
    )


def _far_ends(policy: Policy, group_ids: dict[str, str]) -> dict[str, Remote]:
    """What stands for each role at the far end of a rule."""
    kind = RemoteKind.GROUP if policy.far_ends == "group" else RemoteKind.ADDRESS_GROUP
    return {role: Remote(kind, group_id) for role, group_id in group_ids.items()}


def _address_groups(
    policy: Policy, group_ids: dict[str, str], project_id: str, ports: tuple[Port, ...]
) -> tuple[AddressGroup, ...]:
    """The addresses of each role's nodes, where rules name roles by these."""
    if policy.far_ends == "group":
        return ()
    addresses: dict[str, list[str]] = {group_id: [] for group_id in group_ids.values()}
    for port in ports:
        addresses[port.group_ids[0]] += [str(ip_network(address)) for address in port.addresses]
    return tuple(AddressGroup(group_id, project_id, tuple(prefixes)) for group_id, prefixes in addresses.items())


def _group(policy: Policy, role: str, group_id: str, project_id: str, bound: dict[str, Remote]) -> Group:
    rules = [
        rule.with_remote(bound[rule.remote.value]) if rule.remote.kind is RemoteKind.ROLE else rule
        for rule in sorted(policy.roles[role], key=Rule.key)
    ]
    return Group(
        group_id,
        group_id,
        project_id,
        tuple(GroupRule(f"{group_id}/{number}", group_id, each) for number, each in enumerate(rules)),
        stateful=role not in policy.stateless,
    )
