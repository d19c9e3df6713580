"""The end of a quarantine: ports go back into their groups, are proven with everything else, and only then serve again."""

from functools import partial

from contracts.envelope import Problem
from contracts.network_policy import WorkspaceReleased
from network_policy import store
from network_policy.domain.compile import Policy
from network_policy.domain.confinement import QUARANTINE
from network_policy.domain.custody import Custody, CustodyPort
from network_policy.domain.drift import declared_role_of
from network_policy.handlers.clearing import clear_deletion
from network_policy.handlers.context import Context
from network_policy.handlers.cutting import raise_port
from network_policy.store import Held, HeldFloatingIp, HeldPort, Known
from shared.errors import Conflict, Invalid, NotFound
from shared.handlers import Turn

NOT_FREE_SECONDS = 1.0


def _releasing(known: Known) -> list[Held]:
    return [held for held in known.quarantines if held.state == "releasing"]


def _free(known: Known, held: Held) -> dict[str, HeldPort]:
    """The ports that no other quarantine holds."""
    return {each.port_id: each for each in held.ports if each.port_id not in known.nodes.confined.port_ids}


async def regroup(turn: Turn[Context], known: Known, policy: Policy) -> None:
    """Put the ports of quarantines that end into the groups of their roles; nothing else of them is opened yet."""
    releasing = _releasing(known)
    if not releasing:
        return
    custody = await turn.context.cloud.custody(str(known.project_id))
    for held in releasing:
        free = _free(known, held)
        calls = {
            each.port.id: partial(_regroup, turn.context, each.port.id, group_ids)
            for each in custody.ports
            if each.port.id in free
            and not known.nodes.confined.covers(each.port, declared_role_of(policy, each.port, known.nodes))
            and (group_ids := _groups_of(each, known, policy, free[each.port.id])) is not None
            and each.port.group_ids != group_ids
        }
        if calls:
            failures = await turn.effects("port.release", calls, workspace=known.workspace)
            if failures:
                raise next(iter(failures.values()))


def _groups_of(each: CustodyPort, known: Known, policy: Policy, held: HeldPort) -> tuple[str, ...] | None:
    """The declared groups of a port of ours; of another's, those that it had. None: nothing is to be changed."""
    if not each.is_filtered:
        return None
    if each.port.project_id != known.project_id:
        return tuple(sorted(held.group_ids))
    role = declared_role_of(policy, each.port, known.nodes)
    group_id = known.group_ids.get(role) if role else known.default_group_id
    return (group_id,) if group_id else None


async def _regroup(context: Context, port_id: str, group_ids: tuple[str, ...], request_id: str) -> str:
    await context.cloud.free_port(port_id, group_ids, request_id=request_id)
    return port_id


async def restore(turn: Turn[Context], known: Known) -> float | None:
    """Give the ports their service and floating IPs back, and tell the end. Seconds until the next try."""
    pause: float | None = None
    for held in _releasing(known):
        custody = await turn.context.cloud.custody(str(known.project_id))
        free = _free(known, held)
        ports = [each for each in custody.ports if each.port.id in free]
        quarantine = known.group_ids.get(QUARANTINE)
        if quarantine and any(quarantine in each.port.group_ids for each in ports):
            pause = NOT_FREE_SECONDS
            continue
        await _raise(turn, known, free, ports)
        lost = await _give_back_floating_ips(turn, known, held, custody, frozenset(each.port.id for each in ports))
        async with turn.transaction() as tx:
            await store.move_quarantine(tx.connection, held.quarantine_id, "released", tx.now)
            tx.emit(
                WorkspaceReleased(
                    workspace=known.workspace,
                    generation=known.generation,
                    quarantine_id=held.quarantine_id,
                    holder=held.release_holder or "",
                    reason=held.release_reason or "",
                    ports=len(ports),
                    not_restored=tuple(lost[:50]),
                )
            )
            for command_id in held.command_ids:
                await tx.failed(command_id, (Problem(reason="released before it was done"),))
            if held.release_command_id is not None:
                await tx.applied(held.release_command_id)
            await clear_deletion(tx, known.workspace)
    return pause


async def _raise(turn: Turn[Context], known: Known, free: dict[str, HeldPort], ports: list[CustodyPort]) -> None:
    calls = {
        each.port.id: partial(raise_port, turn.context, each.port.id)
        for each in ports
        if free[each.port.id].was_up and not each.admin_up
    }
    if calls:
        failures = await turn.effects("port.raise", calls, workspace=known.workspace)
        if failures:
            raise next(iter(failures.values()))


async def _give_back_floating_ips(
    turn: Turn[Context], known: Known, held: Held, custody: Custody, port_ids: frozenset[str]
) -> list[str]:
    """Put each floating IP back where it was, if it is still free; returns what could not be, in words."""
    there = {each.id: each for each in custody.floating_ips}
    lost: list[str] = []
    calls = {}
    for each in held.floating_ips:
        now = there.get(each.floating_ip_id)
        if now is None:
            lost.append(f"floating IP {each.address} is gone")
        elif now.port_id is not None:
            if now.port_id != each.port_id:
                lost.append(f"floating IP {each.address} is on port {now.port_id}")
        elif each.port_id not in port_ids:
            lost.append(f"floating IP {each.address}: its port {each.port_id} is gone, or in another quarantine")
        else:
            calls[each.floating_ip_id] = partial(_associate, turn.context, each)
    if not calls:
        return lost
    addresses = {each.floating_ip_id: each.address for each in held.floating_ips}
    for floating_ip_id, failure in (
        await turn.effects("floatingip.associate", calls, workspace=known.workspace)
    ).items():
        if not isinstance(failure, (Conflict, Invalid, NotFound)):
            raise failure
        lost.append(f"floating IP {addresses[floating_ip_id]}: {failure}"[:1000])
    return lost


async def _associate(context: Context, each: HeldFloatingIp, request_id: str) -> str:
    await context.cloud.place_floating_ip(each.floating_ip_id, each.port_id, each.fixed_address, request_id=request_id)
    return each.floating_ip_id
