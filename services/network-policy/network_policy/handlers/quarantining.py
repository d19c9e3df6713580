"""A quarantine, from its order to nothing passing, and its keeping: evidence first, then the ports, then the flows.

Every step is looked up before it is made, so that it goes on anywhere after a crash. What cuts off does not wait for what
is only tidy: without a group to put them into, ports are put out of service all the same.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from contracts.envelope import Problem
from contracts.network_policy import WorkspaceQuarantined
from network_policy import store
from network_policy.domain.compile import Policy, compile_policy
from network_policy.domain.confinement import QUARANTINE, confine
from network_policy.domain.custody import CustodyPort
from network_policy.domain.plan import enclose, plan
from network_policy.handlers.context import Context
from network_policy.handlers.cutting import Watch, cut, look, raise_port, take_off_floating_ips
from network_policy.handlers.effects import Hand
from network_policy.handlers.evidence import keep_evidence
from network_policy.handlers.releasing import regroup, restore
from network_policy.store import Known
from shared.errors import CloudError, Unsettled
from shared.handlers import Turn
from shared.work import Work

GROUP_ROUNDS = 3
"""Looks to make the group: it is made, Neutron's own rules are taken out, it is seen to be so."""
NOT_CUT_SECONDS = 0.2

Enforce = Callable[[Turn[Context], Known], Awaitable[float | None]]


async def keep_confined(turn: Turn[Context], known: Known, enforce: Enforce) -> float | None:
    """Bring the quarantines to what they are to be, around the look that keeps everything else."""
    if not known.quarantines or not turn.context.is_enforcing or known.document is None:
        return await enforce(turn, known)
    policy = compile_policy(known.document, turn.context.site)
    breached: frozenset[str] = frozenset()
    pauses: list[float | None] = []
    if known.nodes.confined:
        known, breached, pause = await _confine(turn, known, policy)
        pauses.append(pause)
    await regroup(turn, known, policy)
    pauses.append(await enforce(turn, known))
    if breached:
        await _cut_again(turn, known, policy, breached)
        pauses.append(NOT_CUT_SECONDS)
    pauses.append(await restore(turn, known))
    return min((each for each in pauses if each is not None), default=None)


async def _confine(turn: Turn[Context], known: Known, policy: Policy) -> tuple[Known, frozenset[str], float | None]:
    """Evidence, group, cut, floating IPs, and back into service; returns the ports that something had opened again."""
    await keep_evidence(turn, known, policy)
    watch = await look(turn, known, policy)
    failure: CloudError | Unsettled | None = None
    try:
        group_id = await _group(turn, watch.known, policy)
    except (CloudError, Unsettled) as error:
        group_id, failure = None, error
    watch = Watch(watch.known, watch.custody, watch.covered, group_id)
    await cut(turn, watch, [each for held, ports in watch.covered if held.state == "evidenced" for each in ports])
    await take_off_floating_ips(turn, watch)
    if any(held.state == "evidenced" for held, _ in watch.covered):
        after = await look(turn, watch.known, policy)
        watch = Watch(after.known, after.custody, after.covered, group_id)
        await _tellcut(turn, watch)
    async with turn.transaction() as tx:
        put_back = {
            each.port.id for each in await store.prompt_repairs(tx.connection, known.workspace) if each.port is not None
        }
        breached = frozenset(each.port.id for each in _breached(watch, put_back))
        fresh = await store.load(tx.connection, known.workspace) or known
    now_held = {held.quarantine_id: held for held in fresh.quarantines}
    standing = tuple((now_held.get(held.quarantine_id, held), ports) for held, ports in watch.covered)
    pause = await _raise(turn, Watch(fresh, watch.custody, standing, group_id))
    if failure is not None:
        raise failure
    return fresh, breached, pause


async def _group(turn: Turn[Context], known: Known, policy: Policy) -> str:
    """The quarantine's group, without any rule. Raises CloudError."""
    project_id = str(known.project_id)
    confined = confine(policy, known.nodes.confined)
    hand = Hand(turn, known.workspace, project_id, dict(known.group_ids))
    for _ in range(GROUP_ROUNDS):
        groups = await turn.context.cloud.groups(project_id)
        actual = enclose(confined, project_id, groups, known.group_ids)
        steps = [step for step in plan(confined, actual) if step.role == QUARANTINE]
        if not steps:
            break
        await hand.make(steps)
    return actual.managed[QUARANTINE].id


async def _tellcut(turn: Turn[Context], watch: Watch) -> None:
    """Tell the quarantines whose ports are all out of service, with no floating IP left."""
    for held, ports in watch.covered:
        port_ids = frozenset(each.port.id for each in ports)
        is_cut = not any(each.admin_up for each in ports) and not watch.custody.floating_on(port_ids)
        if held.state != "evidenced" or not is_cut or watch.group_id is None:
            continue
        async with turn.transaction() as tx:
            await store.move_quarantine(tx.connection, held.quarantine_id, "cut", tx.now, is_down=True)
            tx.emit(
                WorkspaceQuarantined(
                    workspace=watch.known.workspace,
                    generation=watch.known.generation,
                    quarantine_id=held.quarantine_id,
                    role=held.role,
                    node=held.node,
                    reason=held.reason,
                    holder=held.holder,
                    group_id=watch.group_id,
                    ports=len(ports),
                    servers=len({each.port.device_id for each in ports if each.port.device_id}),
                    floating_ips=len(held.floating_ips),
                    evidence=str(held.evidence_digest),
                    seconds=max(0.0, (tx.now - held.ordered_at).total_seconds()),
                )
            )
            for command_id in held.command_ids:
                await tx.applied(command_id)


def _breached(watch: Watch, put_back: set[str]) -> list[CustodyPort]:
    """Ports of standing quarantines through which something may pass, or may have been begun.

    `put_back`: those that were put back into the group as soon as a notification told of them.
    """
    return [
        each
        for held, ports in watch.covered
        if held.state in ("cut", "held")
        for each in ports
        if each.admin_up and (held.state == "cut" or each.port.id in put_back or not watch.is_enclosed(each))
    ]


async def _cut_again(turn: Turn[Context], known: Known, policy: Policy, port_ids: frozenset[str]) -> None:
    """What was opened meanwhile may have flows by now: the ports are put out of service as at the beginning."""
    watch = await look(turn, known, policy)
    group_id = watch.known.group_ids.get(QUARANTINE)
    watch = Watch(watch.known, watch.custody, watch.covered, group_id)
    await cut(turn, watch, [each for each in watch.ports if each.port.id in port_ids])
    async with turn.transaction() as tx:
        for held, ports in watch.covered:
            if held.state in ("cut", "held") and any(each.port.id in port_ids for each in ports):
                await store.move_quarantine(tx.connection, held.quarantine_id, "cut", tx.now, is_down=True)


async def _raise(turn: Turn[Context], watch: Watch) -> float | None:
    """Put ports back into service once their flows are dead; the group holds them then. Seconds until that is."""
    pause: float | None = None
    for held, ports in watch.covered:
        if held.state == "evidenced":
            return NOT_CUT_SECONDS
        if held.state != "cut" or held.down_since is None:
            continue
        left = held.down_since + timedelta(seconds=turn.context.quarantine_down_seconds) - turn.now
        if left > timedelta(0):
            pause = min(pause or left.total_seconds(), left.total_seconds())
            continue
        were_up = {each.port_id for each in held.ports if each.was_up}
        calls = {
            each.port.id: partial(raise_port, turn.context, each.port.id)
            for each in ports
            if each.port.id in were_up and not each.admin_up and each.is_filtered and watch.is_enclosed(each)
        }
        failures = await turn.effects("port.raise", calls, workspace=watch.known.workspace) if calls else {}
        if failures:
            return NOT_CUT_SECONDS * 10
        async with turn.transaction() as tx:
            await store.move_quarantine(tx.connection, held.quarantine_id, "held", tx.now)
    return pause


async def end_quarantines(tx: Work[Context], known: Known) -> None:
    """The workspace is gone, and its ports with it: what was ordered ends."""
    for held in known.quarantines:
        for command_id in (*held.command_ids, held.release_command_id):
            if command_id is not None:
                await tx.failed(command_id, (Problem(reason="the workspace was deleted"),))
        await store.order_release(
            tx.connection, held.quarantine_id, held.release_command_id, holder="", reason="the workspace was deleted"
        )
        await store.move_quarantine(tx.connection, held.quarantine_id, "released", tx.now)
