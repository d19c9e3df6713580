"""Goals of the ground a workspace stands on: project, role, quotas, networks, routers."""

from collections.abc import Iterator
from ipaddress import ip_network

from contracts.envelope import Problem
from contracts.site import Site
from contracts.workspace import Network, NetworkClass
from provisioner.domain import names, quotas
from provisioner.domain.observed import Observed, SeenSubnet
from provisioner.domain.plan import Goal, Wanted
from provisioner.domain.steps import (
    AddInterface,
    CreateNetwork,
    CreateProject,
    CreateRouter,
    CreateSubnet,
    DeleteNetwork,
    DeleteRouter,
    GrantRole,
    SetGateway,
    SetQuota,
    SetTag,
)

MAX_NAMESERVERS = 4


def prefixes(network: Network) -> tuple[str, ...]:
    """The network's prefixes, IPv4 first."""
    return tuple(prefix for prefix in (network.cidr, network.cidr6) if prefix is not None)


def nameservers(site: Site) -> tuple[str, ...]:
    """The site's DNS servers that are single hosts which every node may reach; DHCP hands them out."""
    return tuple(
        str(prefix.network_address)
        for endpoint in site.endpoints.values()
        if any("53" in service.ports for service in endpoint.always)
        for prefix in map(ip_network, endpoint.prefixes)
        if prefix.num_addresses == 1
    )[:MAX_NAMESERVERS]


def goals(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    """Everything up to the networks, in order."""
    document, site = wanted.document, wanted.site
    name = names.project(site, document.name)
    yield Goal(
        "project",
        name,
        seen.project is not None,
        CreateProject(f"project:{name}", name, document.name),
    )
    yield from _preparation(wanted, seen)
    for network in document.networks:
        if network.network_class is NetworkClass.PRIVATE:
            yield from _network(wanted, seen, network)
    if any(names.is_routed(network) for network in document.networks):
        yield from _router(wanted, seen)
    yield from _tags(wanted, seen)
    yield from _surplus(wanted, seen)


def problems(wanted: Wanted, seen: Observed) -> Iterator[Problem]:
    """What is in the way in the cloud: things of the wanted names that are not what they should be."""
    document = wanted.document
    if seen.project is not None and not seen.project.is_ours:
        yield Problem(
            field="name",
            reason=f"a project '{seen.project.name}' exists that Tresor did not make",
            remedy="choose another name, or remove that project",
        )
    if seen.project is not None and not seen.project.is_enabled:
        yield Problem(
            reason=f"the project '{seen.project.name}' is disabled",
            remedy="enable it in Keystone, then create the workspace again",
        )
    for position, network in enumerate(document.networks):
        there = seen.network(names.network(document.name, network.name), wanted.network_ids.get(network.name))
        if there is None or network.network_class is not NetworkClass.PRIVATE:
            continue
        if there.is_shared:
            yield Problem(
                field=f"networks.{position}",
                reason=f"the network '{there.name}' is shared with other projects",
                remedy="take the sharing back in Neutron, then create the workspace again",
            )
        for prefix in prefixes(network):
            version = ip_network(prefix).version
            for subnet in seen.subnets:
                is_named = subnet.name == names.subnet(document.name, network.name, version)
                if subnet.network_id == there.id and is_named and subnet.cidr != prefix:
                    yield Problem(
                        field=f"networks.{position}.{'cidr' if version == 4 else 'cidr6'}",
                        reason=f"the subnet '{subnet.name}' exists with {subnet.cidr} instead of {prefix}",
                        remedy="remove that subnet, or write its prefix into the document",
                    )


def subnets(wanted: Wanted, seen: Observed, network: Network) -> tuple[SeenSubnet | None, ...]:
    """The network's subnets in the order of its prefixes; None where one is missing."""
    if network.network_class is not NetworkClass.PRIVATE:
        return _existing_subnets(wanted, network)
    there = seen.network(names.network(wanted.document.name, network.name), wanted.network_ids.get(network.name))
    return tuple(
        min(
            (each for each in seen.subnets if there and each.network_id == there.id and each.cidr == prefix),
            key=lambda each: each.id,
            default=None,
        )
        for prefix in prefixes(network)
    )


def network_id(wanted: Wanted, seen: Observed, network: Network) -> str | None:
    """The network's id in Neutron; None while there is none."""
    if network.network_class is not NetworkClass.PRIVATE:
        existing = wanted.catalog.network(wanted.site.networks.get(network.name, ""))
        return None if existing is None else existing.id
    there = seen.network(names.network(wanted.document.name, network.name), wanted.network_ids.get(network.name))
    return None if there is None else there.id


def _existing_subnets(wanted: Wanted, network: Network) -> tuple[SeenSubnet | None, ...]:
    existing = wanted.catalog.network(wanted.site.networks.get(network.name, ""))
    by_prefix = {} if existing is None else {cidr: subnet_id for subnet_id, cidr in existing.subnets.items()}
    return tuple(
        SeenSubnet(by_prefix[prefix], "", existing.id, prefix) if existing and prefix in by_prefix else None
        for prefix in prefixes(network)
    )


def _preparation(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    project_id = seen.project.id if seen.project else None
    name = wanted.document.name
    yield Goal(
        "role",
        names.project(wanted.site, name),
        wanted.is_prepared or seen.is_granted,
        GrantRole(f"role:{project_id}", project_id) if project_id else None,
    )
    for service, limits in quotas.limits(wanted.document, wanted.catalog).items():
        present = seen.quotas.get(service, {})
        is_met = wanted.is_prepared or all(present.get(name) == limit for name, limit in limits.items())
        yield Goal(
            "quota",
            service,
            is_met,
            SetQuota(f"quota:{service}:{project_id}", project_id, service, tuple(limits.items()))
            if project_id
            else None,
            detail=", ".join(f"{name} {limit}" for name, limit in limits.items()),
        )


def _network(wanted: Wanted, seen: Observed, network: Network) -> Iterator[Goal]:
    document = wanted.document
    project_id = seen.project.id if seen.project else None
    tag = names.mark(document.name)
    name = names.network(document.name, network.name)
    there = seen.network(name, wanted.network_ids.get(network.name))
    yield Goal(
        "network",
        name,
        there is not None,
        CreateNetwork(
            f"network:{name}",
            project_id,
            name,
            tag,
            network.segmentation,
            network.segmentation_id,
            wanted.site.vlan_physical_network if network.segmentation == "vlan" else None,
        )
        if project_id and _is_prepared(wanted, seen)
        else None,
    )
    for prefix, subnet in zip(prefixes(network), subnets(wanted, seen, network), strict=True):
        version = ip_network(prefix).version
        subnet_name = names.subnet(document.name, network.name, version)
        step = None
        if project_id and there:
            step = CreateSubnet(
                f"subnet:{subnet_name}",
                project_id,
                subnet_name,
                tag,
                there.id,
                prefix,
                version,
                names.is_routed(network),
                tuple(each for each in nameservers(wanted.site) if (":" in each) == (version == 6)),
            )
        yield Goal("subnet", subnet_name, subnet is not None, step, detail=prefix)


def _router(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    document = wanted.document
    name = names.router(document.name)
    there = seen.router(name)
    outside = wanted.catalog.network(wanted.site.external_network) if wanted.site.external_network else None
    step = None
    if seen.project and _is_prepared(wanted, seen):
        step = CreateRouter(
            f"router:{name}", seen.project.id, name, names.mark(document.name), outside.id if outside else None
        )
    yield Goal("router", name, there is not None, step)
    if outside is not None:
        yield Goal(
            "gateway",
            name,
            there is not None and there.gateway_network_id == outside.id,
            SetGateway(f"gateway:{name}", there.id, outside.id) if there else None,
            detail=outside.name,
        )
    joined = seen.interfaces(there.id) if there else frozenset()
    for network in document.networks:
        if not names.is_routed(network):
            continue
        for prefix, subnet in zip(prefixes(network), subnets(wanted, seen, network), strict=True):
            yield Goal(
                "interface",
                names.subnet(document.name, network.name, ip_network(prefix).version),
                subnet is not None and subnet.id in joined,
                AddInterface(f"interface:{there.id}:{subnet.id}", there.id, subnet.id) if there and subnet else None,
            )


def _tags(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    """Only what lacks its tag is a goal, so that tags do not count as progress."""
    document = wanted.document
    ours = {names.network(document.name, network.name) for network in document.networks}
    found = (
        *(("networks", each.id, each.name) for each in seen.networks if not each.is_marked and each.name in ours),
        *(
            ("routers", each.id, each.name)
            for each in seen.routers
            if not each.is_marked and each.name == names.router(document.name)
        ),
        *(
            ("subnets", each.id, each.name)
            for each in seen.subnets
            if not each.is_marked and each.name.removesuffix("-v6") in ours
        ),
    )
    for kind, resource_id, name in found:
        yield Goal("tag", name, False, SetTag(f"tag:{resource_id}", kind, resource_id, names.mark(document.name)))


def _surplus(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    """Second networks and routers, bare: of calls that outlived their callers, and were made again meanwhile (I2)."""
    document = wanted.document
    kept = {
        there.id
        for network in document.networks
        if (there := seen.network(names.network(document.name, network.name), wanted.network_ids.get(network.name)))
    }
    ours = {names.network(document.name, network.name) for network in document.networks}
    for each in sorted(seen.networks, key=lambda network: network.id):
        if each.name in ours and each.id not in kept and each.is_born_ours and seen.is_bare(each):
            yield Goal("surplus network", each.name, False, DeleteNetwork(f"network:{each.id}", each.id))
    name = names.router(document.name)
    router = seen.router(name)
    for other in sorted(seen.routers, key=lambda each: each.id):
        is_second = other.name == name and router is not None and other.id != router.id
        if is_second and other.is_born_ours and not seen.interfaces(other.id):
            yield Goal("surplus router", name, False, DeleteRouter(f"router:{other.id}", other.id))


def _is_prepared(wanted: Wanted, seen: Observed) -> bool:
    """Networks wait for the network quota: a project's default could be too small for them."""
    limits = quotas.limits(wanted.document, wanted.catalog)["network"]
    present = seen.quotas.get("network", {})
    return wanted.is_prepared or all(present.get(name) == limit for name, limit in limits.items())
