"""Goals of trunks: a node's further networks, tagged on the port of its first one (row C11)."""

from collections.abc import Iterator, Mapping

from contracts.envelope import Problem
from contracts.workspace import Workspace
from provisioner.domain import foundation, names
from provisioner.domain.observed import Observed, SeenTrunk
from provisioner.domain.plan import Goal, Wanted
from provisioner.domain.steps import AddSubports, CreateTrunk, DeleteTrunk, RemoveSubports, SetTag, Step


def goal(wanted: Wanted, seen: Observed, declared: names.NodeTrunk, ports: Mapping[str, Goal]) -> Goal:
    """The goal of a node's trunk; `ports` are the goals of the node's ports by name.

    Neutron takes no port as a trunk's parent that a server has, and deletes none that is on a trunk: so a trunk comes
    after its ports and before its server, and goes before a port that is to be made anew.
    """
    parent = seen.port(declared.parent.name)
    there = None if parent is None else seen.trunk_with(parent.id)
    carried = (declared.parent, *declared.subports)
    if not all(ports[each.name].is_met for each in carried):
        stale = _stale(seen, carried) if wanted.is_permitted else None
        gone = None if stale is None else DeleteTrunk(f"trunk:{stale.id}", stale.id)
        return Goal("trunk", declared.name, False, gone)
    subports = frozenset(
        (port.id, each.vlan)
        for each in declared.subports
        if each.vlan is not None and (port := seen.port(each.name)) is not None
    )
    detail = ", ".join(f"{each.network} as VLAN {each.vlan}" for each in declared.subports)
    if there is not None:
        step = _amend(there, subports, names.mark(wanted.document.name))
        return Goal("trunk", declared.name, step is None, step, detail=detail)
    step = None
    if wanted.is_permitted and seen.project and parent is not None and not seen.is_in_use(parent):
        step = CreateTrunk(
            f"trunk:{declared.name}",
            seen.project.id,
            declared.name,
            names.mark(wanted.document.name),
            parent.id,
            tuple(sorted(subports)),
        )
    return Goal("trunk", declared.name, False, step, detail=detail)


def surplus(document: Workspace, seen: Observed) -> Iterator[Goal]:
    """Our trunks that carry no declared node's ports any more, once no server is on them."""
    kept = {
        parent.id
        for node in names.nodes(document)
        if (role := document.role(node.role)) is not None
        and (declared := names.trunk_of(document, role, node.name)) is not None
        and (parent := seen.port(declared.parent.name)) is not None
    }
    ports = {port.id: port for port in seen.ports}
    for trunk in sorted(seen.trunks, key=lambda each: (each.name, each.id)):
        carrier = ports.get(trunk.parent_id)
        is_free = carrier is None or (carrier.is_marked and not seen.is_in_use(carrier))
        if trunk.parent_id not in kept and is_free:
            yield Goal("surplus trunk", trunk.name, False, DeleteTrunk(f"trunk:{trunk.id}", trunk.id))


def problems(wanted: Wanted, seen: Observed) -> Iterator[Problem]:
    """Networks whose packets are too large for the trunk that is to carry them: Neutron refuses such a subport."""
    networks = {network.name: network for network in wanted.document.networks}
    sizes = {each.id: each.mtu_bytes for each in seen.networks}
    for position, role in enumerate(wanted.document.roles):
        for index, subport in enumerate(role.subports):
            parent = sizes.get(foundation.network_id(wanted, seen, networks[role.networks[0]]) or "", 0)
            carried = sizes.get(foundation.network_id(wanted, seen, networks[subport.network]) or "", 0)
            if 0 < parent < carried:
                yield Problem(
                    field=f"roles.{position}.subports.{index}.network",
                    reason=f"network '{subport.network}' has packets of up to {carried} bytes, and the trunk's own, "
                    f"'{role.networks[0]}', of {parent}",
                    remedy=f"put the role on '{subport.network}' first, with '{role.networks[0]}' as its subport",
                )


def _stale(seen: Observed, carried: tuple[names.NodePort, ...]) -> SeenTrunk | None:
    """The trunk that keeps one of the ports from being made anew."""
    for each in carried:
        port = seen.port(each.name)
        if port is not None and not seen.is_in_use(port) and (trunk := seen.trunk_with(port.id)) is not None:
            return trunk
    return None


def _amend(there: SeenTrunk, subports: frozenset[tuple[str, int]], mark: str) -> Step | None:
    """What brings the trunk nearer to exactly these subports, marked as ours; None when it is so."""
    if strange := there.subports - subports:
        return RemoveSubports(f"trunk:{there.id}", there.id, tuple(sorted(port_id for port_id, _ in strange)))
    if lacking := subports - there.subports:
        return AddSubports(f"trunk:{there.id}", there.id, tuple(sorted(lacking)))
    return None if there.is_marked else SetTag(f"tag:{there.id}", "trunks", there.id, mark)
