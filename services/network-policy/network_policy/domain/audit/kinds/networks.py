"""Networks, and what projects let each other use."""

from collections.abc import Iterator
from ipaddress import ip_network

from network_policy.domain.audit.finding import Found, Severity, register
from network_policy.domain.audit.inventory import WORLD, Part
from network_policy.domain.audit.matrix import OUTSIDE
from network_policy.domain.audit.subject import Subject
from network_policy.domain.internal import internal_network_ids, overlap
from network_policy.domain.rule import ETHERTYPES
from network_policy.domain.topology import ROUTER_INTERFACES

EVERYBODY = "*"
_OBJECTS = {
    "network": "network",
    "security_group": "security group",
    "address_group": "address group",
    "qos_policy": "QoS policy",
    "address_scope": "address scope",
    "subnetpool": "subnet pool",
}


@register.kind(
    "shared-with-everybody",
    Severity.MEDIUM,
    "Something is shared with every project",
    rows="I5",
    why="Whatever is shared with `*` every project may use, also those that are made tomorrow. On a shared network "
    "projects meet without a router between; a shared group can be put on anybody's ports, and its members count in "
    "the rules that name it.",
    runbook=(
        "Which projects use it? Share it with each of them by name: openstack network rbac create --target-project.",
        "Then delete the policy for all.",
    ),
    needs={Part.SHARINGS},
)
def shared_with_everybody(subject: Subject) -> Iterator[Found]:
    """By RBAC policy; external networks are made to be reached and are informational."""
    world = subject.inventory.world
    named: dict[str, tuple[str, str]] = {each.id: (each.project_id, each.name) for each in world.networks}
    named |= {each.id: (each.project_id, each.name) for each in world.groups}
    severities = {"security_group": Severity.HIGH, "address_group": Severity.HIGH, "qos_policy": Severity.LOW}
    for sharing in world.sharings:
        if sharing.target_project_id != EVERYBODY:
            continue
        is_external = sharing.action == "access_as_external"
        kind = _OBJECTS.get(sharing.object_type, sharing.object_type)
        project_id, name = named.get(sharing.object_id, ("", ""))
        yield Found(
            sharing.object_id,
            subject.where(project_id, kind, name, sharing.object_id),
            f"{sharing.action} for every project",
            () if is_external else (f"openstack network rbac delete {sharing.id}",),
            Severity.INFORMATIONAL if is_external else severities.get(sharing.object_type),
            also=(sharing.id,),
        )


@register.kind(
    "tenant-on-shared-network",
    Severity.LOW,
    "Several projects have ports on one network",
    rows="I5 C3",
    why="On one network only the groups stand between projects: broadcasts reach all, a port without a filter deceives "
    "all, and no router is there to stop anything.",
    runbook=(
        "Sensitive projects get a network of their own.",
        "Where sharing is meant (storage, provider networks), see that no port of it is unfiltered.",
    ),
    needs={Part.PORTS, Part.NETWORKS, Part.ROUTERS},
)
def tenant_on_shared(subject: Subject) -> Iterator[Found]:
    """By network; medium where one of the ports has no filter."""
    users: dict[str, set[str]] = {}
    unfiltered: set[str] = set()
    for port in subject.tenant_ports:
        users.setdefault(port.network_id, set()).add(port.project_id)
        if not port.port_security or port.is_trusted:
            unfiltered.add(port.network_id)
    for network in subject.inventory.world.networks:
        projects = users.get(network.id, set())
        if len(projects) < 2 or network.external:
            continue
        named = sorted(subject.inventory.project(each) for each in projects)
        shown = ", ".join(named[:6]) + (f" and {len(named) - 6} more" if len(named) > 6 else "")
        yield Found(
            network.id,
            subject.where(network.project_id, "network", network.name, network.id),
            f"{len(projects)} projects: {shown}"
            + ("; one of their ports has no filter" if network.id in unfiltered else ""),
            (f"openstack port list --network {network.id} --long",),
            Severity.MEDIUM if network.id in unfiltered else None,
        )


@register.kind(
    "tenant-on-external-network",
    Severity.MEDIUM,
    "A server stands on an external network itself",
    rows="I5 L3",
    why="A port on an external network has no router before it: its groups are all there is between it and everybody "
    "on that network.",
    runbook=(
        "Give the server a network of its own, and a floating address if it must be reached.",
        "Where it is meant so, its groups should name jumphosts and nothing else.",
    ),
    needs={Part.PORTS, Part.NETWORKS, Part.ROUTERS},
)
def tenant_on_external(subject: Subject) -> Iterator[Found]:
    """By port with a device."""
    for port in subject.tenant_ports:
        network = subject.networks.get(port.network_id)
        if network is None or not network.external or not port.device_owner or port.is_trusted:
            continue
        is_open = any(subject.opened(port.group_ids, ethertype) for ethertype in ETHERTYPES) or not port.port_security
        yield Found(
            port.id,
            subject.where(port.project_id, "port", port.name, port.id),
            f"on external network {network.name} as {', '.join(port.addresses) or 'no address'}"
            + (", and its groups admit everybody" if is_open else ""),
            (f"openstack port show {port.id}",),
            Severity.HIGH if is_open else None,
        )


@register.kind(
    "tenant-on-reserved-prefix",
    Severity.CRITICAL,
    "A project uses addresses that the site keeps for itself",
    rows="C3 D7",
    why="Addresses of the internal API network, of management or of a tunnel's far end, used by a project, either take "
    "packets that belong elsewhere or stand on the very network that projects must not reach.",
    runbook=(
        "Is the network the site's own (a provider network)? Then a project's port on it is what must go.",
        "Is it a project's network with a bad prefix? Its owner has to renumber; until then take its router's interface down.",
    ),
    needs={Part.PORTS, Part.NETWORKS, Part.SUBNETS, Part.SITE},
)
def tenant_on_reserved(subject: Subject) -> Iterator[Found]:
    """By subnet that overlaps a reserved prefix of the site file and has a port."""
    used = {port.network_id for port in subject.tenant_ports}
    for subnet in subject.inventory.world.subnets:
        if subnet.network_id not in used:
            continue
        overlapped = [each for each in subject.expected.reserved if overlap(each, subnet.cidr)]
        network = subject.networks.get(subnet.network_id)
        if overlapped and network is not None:
            yield Found(
                subnet.id,
                subject.where(network.project_id, "network", network.name, network.id),
                f"{subnet.cidr} overlaps the site's {', '.join(overlapped)}",
                (f"openstack port list --network {network.id} --long",),
            )


@register.kind(
    "tenant-on-internal-network",
    Severity.CRITICAL,
    "A project has a port on the network that OpenStack's services talk on",
    rows="C3",
    why="Databases, message brokers and APIs listen there for each other and trust who is there. A project's server among "
    "them is past every group and router that stands between projects and the cloud itself.",
    runbook=(
        "Who made the port, and when? Neutron lets only administrators, or projects that the network is shared with.",
        "Take the port down at once, then delete it; look at what its server sent.",
        "Take back the sharing: openstack network rbac list --type network.",
    ),
    needs={Part.PORTS, Part.NETWORKS, Part.SUBNETS, Part.ROUTERS, Part.SITE},
)
def tenant_on_internal(subject: Subject) -> Iterator[Found]:
    """By port of a project that is not the network's own."""
    world, expected = subject.inventory.world, subject.expected
    internal = internal_network_ids(expected.internal, expected.internal_prefixes, world.networks, world.subnets)
    for port in subject.tenant_ports:
        network = subject.networks.get(port.network_id)
        if network is None or network.id not in internal or port.project_id == network.project_id:
            continue
        yield Found(
            port.id,
            subject.where(port.project_id, "port", port.name, port.id),
            f"on internal network {network.name or network.id} as {', '.join(port.addresses) or 'no address'}",
            (f"openstack port set --disable {port.id}", f"openstack port delete {port.id}"),
        )


@register.kind(
    "subnets-overlap",
    Severity.MEDIUM,
    "Overlapping subnets meet at one router",
    rows="D7",
    why="Routers that join overlapping prefixes send packets to whichever they find first: connections fail at random, "
    "and a tunnel's packets end up in the wrong network.",
    runbook=("Take one of the subnets off the router, or renumber it.",),
    needs={Part.PORTS, Part.SUBNETS, Part.ROUTERS},
)
def subnetsoverlap(subject: Subject) -> Iterator[Found]:
    """By router. Neutron refuses it on one router; networks joined over several routers get by."""
    segments: dict[str, dict[str, None]] = {}
    for port in subject.inventory.world.ports:
        if port.device_owner.startswith(ROUTER_INTERFACES):
            segments.setdefault(subject.topology.segment(port.network_id), {})[port.network_id] = None
    for networks in segments.values():
        subnets = [subnet for network_id in networks for subnet in subject.subnets.get(network_id, [])]
        ordered = sorted(subnets, key=lambda each: (ip_network(each.cidr, strict=False).version, each.cidr))
        for position, subnet in enumerate(ordered):
            others = [
                other
                for other in ordered[position + 1 :]
                if other.network_id != subnet.network_id and overlap(subnet.cidr, other.cidr)
            ]
            network = subject.networks.get(subnet.network_id)
            if others and network is not None:
                yield Found(
                    subnet.id,
                    subject.where(network.project_id, "network", network.name, network.id),
                    f"{subnet.cidr} overlaps {', '.join(f'{each.cidr} of {each.network_id}' for each in others)}",
                    (f"openstack router remove subnet ROUTER {subnet.id}",),
                    also=tuple(each.id for each in others),
                )


@register.kind(
    "project-reached-by-others",
    Severity.MEDIUM,
    "Other projects can send to a project's ports",
    rows="L4 L5 M1",
    why="A packet is possible from a port of one project to a port of another, by shared networks, routers, floating "
    "addresses or rules that admit everybody. The matrix shows what passes.",
    runbook=(
        "Look at the matrix for what passes, and at the findings about the network and groups for why.",
        "Where projects must not meet: networks of their own, groups that name prefixes or groups, no shared router.",
    ),
    needs=WORLD,
)
def project_reached(subject: Subject) -> Iterator[Found]:
    """By project that is reached; informational where a route from outside to private addresses would be needed."""
    senders: dict[tuple[str, bool], set[str]] = {}
    for cell in subject.matrix.cells:
        if OUTSIDE not in (cell.source, cell.target) and cell.source != cell.target:
            senders.setdefault((cell.target, cell.is_certain), set()).add(cell.source)
    for (target, is_certain), sources in sorted(senders.items()):
        named = sorted(subject.inventory.project(each) for each in sources)
        shown = ", ".join(named[:6]) + (f" and {len(named) - 6} more" if len(named) > 6 else "")
        yield Found(
            target or "none",
            f"project {subject.inventory.project(target)}",
            f"from {len(named)} projects: {shown}"
            + ("" if is_certain else "; only if somebody outside routes packets to its private addresses"),
            severity=None if is_certain else Severity.INFORMATIONAL,
        )
