"""The plan of a workspace that is to go: nodes first, then, when the others are through, the ground under them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from provisioner.domain.observed import Observed
from provisioner.domain.plan import Gates, Goal, Plan
from provisioner.domain.steps import (
    DeleteNetwork,
    DeletePort,
    DeleteProject,
    DeleteRouter,
    DeleteServer,
    DeleteTrunk,
    ForgetQuota,
    RemoveInterface,
)


@dataclass(frozen=True)
class Unwanted:
    """A workspace that is being deleted, and whose leave is needed."""

    name: str
    generation: int
    gates: Gates = field(default_factory=Gates)
    was_declared: bool = True
    """Others were told of it, so that they have something to take back."""
    has_pool: bool = False
    """The burst-scheduler was told that it is ready, and has a pool to remove."""
    quota_services: tuple[str, ...] = ()
    """Services that still keep limits of the project."""


def plan(unwanted: Unwanted, seen: Observed) -> Plan:
    """Goals in order; everything in the project goes, also what somebody else put there."""
    is_begun = may_begin(unwanted)
    occupants = tuple(_occupants(seen, is_begun))
    is_empty = not occupants
    leave = (*_clearance(unwanted), *_leave(unwanted))
    may_raze = is_empty and all(goal.is_met for goal in leave)
    ground = tuple(_ground(seen, may_raze))
    project = _project(unwanted, seen, may_raze and not ground)
    goals = (*occupants, *leave) if is_begun else (*leave, *occupants)
    return Plan((*goals, *ground, *project))


def is_empty(plan: Plan) -> bool:
    """No node, no trunk and no port is left."""
    return all(goal.is_met for goal in plan.goals if goal.kind in ("server", "trunk", "port"))


def may_begin(unwanted: Unwanted) -> bool:
    """network-policy has let it begin, and no quarantine came meanwhile: servers and their ports are evidence in one."""
    gates = unwanted.gates
    is_cleared = gates.cleared_generation >= unwanted.generation or not unwanted.was_declared
    return is_cleared and not gates.custody


def _clearance(unwanted: Unwanted) -> Iterator[Goal]:
    if not may_begin(unwanted):
        what = (
            "the quarantine to be released" if unwanted.gates.custody else "network-policy to say that none is in force"
        )
        yield Goal("quarantine", "none", False, waits=what)


def _occupants(seen: Observed, is_begun: bool) -> Iterator[Goal]:
    for server in seen.servers:
        is_going = _is_deleting(server.status, server.is_busy)
        step = None if is_going or not is_begun else DeleteServer(f"server:{server.id}", server.id)
        yield Goal("server", server.name, False, step, waits=f"{server.name} to go" if is_going else "")
    held = {server.id for server in seen.servers}
    carrying = {port.id for port in seen.ports if port.device_id in held}
    for trunk in seen.trunks:
        step_trunk = None if trunk.parent_id in carrying or not is_begun else DeleteTrunk(f"trunk:{trunk.id}", trunk.id)
        yield Goal("trunk", trunk.name or trunk.id, False, step_trunk)
    for port in seen.ports:
        if not port.is_network_own:
            is_held = port.device_id in held or seen.trunk_with(port.id) is not None
            step_port = None if is_held or not is_begun else DeletePort(f"port:{port.id}", port.id)
            yield Goal("port", port.name or port.id, False, step_port)


def _is_deleting(status: str, is_busy: bool) -> bool:
    return status in ("DELETED", "SOFT_DELETED") or (is_busy and status == "DELETING")


def _leave(unwanted: Unwanted) -> Iterator[Goal]:
    gates, generation = unwanted.gates, unwanted.generation
    if not unwanted.was_declared:
        return
    yield Goal(
        "policy", "withdrawn", gates.withdrawn_generation >= generation, waits="network-policy to remove its groups"
    )
    yield Goal(
        "storage", "released", gates.released_generation >= generation, waits="storage to remove shares and volumes"
    )
    if unwanted.has_pool:
        yield Goal(
            "pool", "removed", gates.pool_removed_generation >= generation, waits="burst-scheduler to close the pool"
        )


def _ground(seen: Observed, may_raze: bool) -> Iterator[Goal]:
    for router in seen.routers:
        joined = sorted(seen.interfaces(router.id))
        for subnet_id in joined:
            step = RemoveInterface(f"interface:{router.id}:{subnet_id}", router.id, subnet_id)
            yield Goal("interface", f"{router.name}:{subnet_id}", False, step if may_raze else None)
        gone = DeleteRouter(f"router:{router.id}", router.id)
        yield Goal("router", router.name, False, gone if may_raze and not joined else None)
    for network in seen.networks:
        gone_network = DeleteNetwork(f"network:{network.id}", network.id)
        yield Goal("network", network.name, False, gone_network if may_raze and not seen.routers else None)


def _project(unwanted: Unwanted, seen: Observed, may_raze: bool) -> Iterator[Goal]:
    if seen.project is None:
        return
    project_id = seen.project.id
    for service in unwanted.quota_services:
        forget = ForgetQuota(f"quota:{service}:{project_id}", project_id, service)
        yield Goal("quota", service, False, forget if may_raze else None)
    step = DeleteProject(f"project:{project_id}", project_id)
    yield Goal("project", seen.project.name, False, step if may_raze and not unwanted.quota_services else None)
