"""Goals of what lives in a workspace: ports, trunks, servers, volumes; and the way out of what is no longer declared."""

from collections.abc import Iterator

from contracts.envelope import Problem
from contracts.workspace import NodeRole
from provisioner.domain import faults, foundation, names, trunks
from provisioner.domain.nodes import NodeRecord, is_settled
from provisioner.domain.observed import Observed, SeenPort, SeenServer
from provisioner.domain.plan import Goal, Wanted
from provisioner.domain.steps import (
    AttachVolume,
    CreatePort,
    CreateServer,
    DeletePort,
    DeleteServer,
    StartServer,
)

STOPPED = ("SHUTOFF",)
"""What a server is after an evacuation; one that never was active is started."""


def goals(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    """Gates, ports, servers, volumes, in order; before them, what must go."""
    yield from _surplus(wanted, seen)
    yield from _gates(wanted)
    for node in wanted.nodes:
        role = wanted.document.role(node.role)
        if role is not None:
            yield from _node(wanted, seen, node, role)
    yield from _volumes(wanted, seen)


def problems(wanted: Wanted, seen: Observed) -> Iterator[Problem]:
    """Nodes that were given up, and servers in the way."""
    for node in wanted.nodes:
        field = f"roles.{_position(wanted, node.role)}"
        if node.is_spent:
            yield faults.problem(f"{node.name} failed {node.attempts} times", node.fault, field)
        server = seen.server(node.name, node.server_id)
        if server is not None and not server.is_marked:
            yield Problem(
                field=field,
                reason=f"a server '{node.name}' exists in the project that Tresor did not make",
                remedy="rename or remove it, then create the workspace again",
            )
    yield from trunks.problems(wanted, seen)


def _position(wanted: Wanted, role: str) -> int:
    return next(index for index, each in enumerate(wanted.document.roles) if each.name == role)


def _gates(wanted: Wanted) -> Iterator[Goal]:
    gates = wanted.gates
    yield Goal(
        "policy",
        "enforced",
        gates.policy_generation == wanted.generation,
        waits="network-policy to prove isolation",
    )
    yield Goal(
        "storage",
        "ready",
        gates.storage_generation == wanted.generation,
        waits="storage to make shares and volumes",
    )


def _node(wanted: Wanted, seen: Observed, node: NodeRecord, role: NodeRole) -> Iterator[Goal]:
    server = seen.server(node.name, node.server_id)
    ports = {
        declared.name: _port(wanted, seen, declared, seen.port(declared.name))
        for declared in names.ports_of(wanted.document, role, node.name)
    }
    trunk = names.trunk_of(wanted.document, role, node.name)
    carrying = () if trunk is None else (trunks.goal(wanted, seen, trunk, ports),)
    yield from ports.values()
    yield from carrying
    if server is not None:
        yield _present(node, server, f"{role.flavor}, {role.image}")
    else:
        is_wired = all(goal.is_met for goal in (*ports.values(), *carrying))
        yield _missing(wanted, seen, node, role, is_wired=is_wired)
    yield Goal(
        "node",
        node.name,
        node.is_active and server is not None,
        waits="" if server is None else f"{node.name} to become active",
    )


def _port(wanted: Wanted, seen: Observed, declared: names.NodePort, there: SeenPort | None) -> Goal:
    """A port that is to serve a new server must be as if born in its group; one that is not makes room for another."""
    group = wanted.gates.groups.get(declared.role)
    network = next(each for each in wanted.document.networks if each.name == declared.network)
    role = wanted.document.role(declared.role)
    vnic_type = role.vnic_type if role is not None and declared.vlan is None else "normal"
    if there is not None:
        if seen.is_in_use(there) or not wanted.is_permitted:
            return Goal("port", declared.name, True)
        if there.device_id or not there.is_secured or there.group_ids != {group} or there.vnic_type != vnic_type:
            gone = None if seen.trunk_with(there.id) else DeletePort(f"port:{there.id}", there.id)
            return Goal("port", declared.name, False, gone, detail="unfit")
        return Goal("port", declared.name, True)
    network_id = foundation.network_id(wanted, seen, network)
    subnets = foundation.subnets(wanted, seen, network)
    step = None
    if wanted.is_permitted and group and network_id and seen.project and all(subnets):
        step = CreatePort(
            f"port:{declared.name}",
            seen.project.id,
            declared.name,
            names.mark(wanted.document.name),
            network_id,
            tuple(subnet.id for subnet in subnets if subnet is not None),
            group,
            vnic_type,
        )
    return Goal("port", declared.name, False, step)


def _missing(wanted: Wanted, seen: Observed, node: NodeRecord, role: NodeRole, *, is_wired: bool) -> Goal:
    """The goal of a server that is to be made, on ports that nothing else uses; subports come with their parent."""
    flavor, image = wanted.catalog.flavor(role.flavor), wanted.catalog.image(role.image)
    own = [each for each in names.ports_of(wanted.document, role, node.name) if each.vlan is None]
    ports = [seen.port(each.name) for each in own]
    free = tuple(port.id for port in ports if port is not None and not port.device_id)
    is_ready = is_wired and len(free) == len(ports) and not node.is_spent
    step = None
    if wanted.is_permitted and seen.project and flavor and image and is_ready:
        step = CreateServer(
            f"server:{node.name}",
            seen.project.id,
            node.name,
            flavor.id,
            image.id,
            free,
            role.keypair,
            role.user_data,
            (
                ("tresor_workspace", wanted.document.name),
                ("tresor_generation", str(wanted.generation)),
                ("tresor_role", role.name),
            ),
        )
    return Goal("server", node.name, False, step, detail=f"{role.flavor}, {role.image}")


def _present(node: NodeRecord, server: SeenServer, detail: str) -> Goal:
    """The goal of a server that is there: one in ERROR goes once its failure is told, unless it was the last try."""
    if server.status == "ERROR":
        may_go = node.failed_server_id == server.id and not node.is_spent and not server.is_busy
        step = DeleteServer(f"server:{server.id}", server.id) if may_go else None
        return Goal("server", node.name, False, step, detail="failed")
    if server.status in STOPPED and is_settled(server) and node.told_server_id != server.id:
        return Goal("server", node.name, False, StartServer(f"start:{server.id}", server.id), detail="stopped")
    return Goal("server", node.name, True, detail=detail)


def _volumes(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    """Attachments; a volume of a node that is not declared (any more) waits for storage to take it away."""
    by_name = {node.name: node for node in wanted.nodes}
    for name, volume_id, node_name in wanted.gates.volumes:
        node = by_name.get(node_name)
        if node is None or not any(volume.name == name for volume in wanted.document.storage.volumes):
            continue
        server = seen.server(node.name, node.server_id)
        is_attached = server is not None and volume_id in server.volume_ids
        step = None
        if server is not None and seen.project and server.status == "ACTIVE" and is_settled(server):
            step = AttachVolume(f"attach:{volume_id}", seen.project.id, server.id, volume_id)
        yield Goal("attachment", f"{node.name}:{name}", is_attached, step)


def _surplus(wanted: Wanted, seen: Observed) -> Iterator[Goal]:
    """Our servers, trunks and ports that no declaration wants, or that are second of their name."""
    document = wanted.document
    kept_servers = {
        server.id for node in wanted.nodes if (server := seen.server(node.name, node.server_id)) is not None
    }
    for server in sorted(seen.servers, key=lambda each: (each.name, each.id)):
        if server.is_marked and server.id not in kept_servers:
            yield Goal("surplus server", server.name, False, DeleteServer(f"server:{server.id}", server.id))
    yield from trunks.surplus(document, seen)
    kept_ports = {port.id for declared in names.ports(document) if (port := seen.port(declared.name)) is not None}
    for port in sorted(seen.ports, key=lambda each: (each.name, each.id)):
        is_free = not port.is_network_own and not seen.is_in_use(port) and seen.trunk_with(port.id) is None
        if port.is_marked and is_free and port.id not in kept_ports:
            yield Goal("surplus port", port.name, False, DeletePort(f"port:{port.id}", port.id))
