"""One look at the ports of the quarantines in force, and the calls that cut them off and put them back into service."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from contracts.network_policy import DriftDetected, DriftRepaired, RuleDrift
from network_policy import store
from network_policy.domain.compile import Policy
from network_policy.domain.custody import Custody, CustodyPort, is_enclosed, wanted_groups
from network_policy.handlers.context import Context
from network_policy.handlers.evidence import held_port
from network_policy.store import Held, Known
from shared.handlers import Turn
from shared.work import Work


@dataclass(frozen=True)
class Watch:
    """One look at the ports of the quarantines in force."""

    known: Known
    custody: Custody
    covered: tuple[tuple[Held, tuple[CustodyPort, ...]], ...]
    group_id: str | None

    @property
    def ports(self) -> tuple[CustodyPort, ...]:
        """All covered ports, once each."""
        found = {each.port.id: each for _, ports in self.covered for each in ports}
        return tuple(found.values())

    @property
    def project_id(self) -> str:
        return str(self.known.project_id)

    def is_enclosed(self, each: CustodyPort) -> bool:
        """Whether the port's filter, or its being down, lets nothing pass."""
        return self.group_id is not None and is_enclosed(each, self.project_id, self.group_id)


async def look(turn: Turn[Context], known: Known, policy: Policy) -> Watch:
    """The ports as they stand; those that were not there when the quarantine began are recorded as they are found."""
    custody = await turn.context.cloud.custody(str(known.project_id))
    async with turn.transaction() as tx:
        fresh = await store.load(tx.connection, known.workspace) or known
        in_force = [held for held in fresh.quarantines if held.state in ("evidenced", "cut", "held")]
        covered = tuple(
            (held, custody.covered(held.scope, policy, fresh.nodes, frozenset(each.port_id for each in held.ports)))
            for held in in_force
        )
        for held, ports in covered:
            recorded = {each.port_id for each in held.ports}
            if new := [each for each in ports if each.port.id not in recorded]:
                await store.keep_found(tx.connection, held.quarantine_id, map(held_port, new))
    return Watch(fresh, custody, covered, None)


async def cut(turn: Turn[Context], watch: Watch, ports: Iterable[CustodyPort]) -> None:
    """Put these ports into the group and out of service, all at once. What fails is seen by the next look."""
    context = turn.context
    calls = {
        each.port.id: partial(
            _enclose,
            context,
            each.port.id,
            wanted_groups(each, watch.project_id, watch.group_id) if watch.group_id else (),
            each.is_filtered and watch.group_id is not None,
        )
        for each in ports
        if each.admin_up or not watch.is_enclosed(each)
    }
    if calls:
        await turn.effects("port.quarantine", calls, workspace=watch.known.workspace)


async def _enclose(
    context: Context, port_id: str, group_ids: tuple[str, ...], is_filtered: bool, request_id: str
) -> str:
    await context.cloud.enclose_port(port_id, group_ids, down=True, is_filtered=is_filtered, request_id=request_id)
    return port_id


async def take_off_floating_ips(turn: Turn[Context], watch: Watch) -> None:
    """No floating IP stands for a port in quarantine; one that was put there since is told as drift."""
    attached = watch.custody.floating_on(frozenset(each.port.id for each in watch.ports))
    if not attached:
        return
    settled = {each.port.id for held, ports in watch.covered if held.state in ("cut", "held") for each in ports}
    drifted = [each for each in attached if each.port_id in settled]
    found_at = turn.now
    async with turn.transaction() as tx:
        await _tell_floating(tx, watch.known, [str(each.port_id) for each in drifted])
    calls = {each.id: partial(_dissociate, turn.context, each.id) for each in attached}
    failures = await turn.effects("floatingip.dissociate", calls, workspace=watch.known.workspace)
    gone = [each for each in drifted if each.id not in failures]
    if gone:
        async with turn.transaction() as tx:
            tx.emit(
                DriftRepaired(
                    workspace=watch.known.workspace,
                    generation=watch.known.generation,
                    steps=len(gone),
                    seconds_since_detection=max(0.0, (turn.now - found_at).total_seconds()),
                )
            )


async def _tell_floating(tx: Work[Context], known: Known, port_ids: list[str]) -> None:
    if port_ids:
        tx.emit(
            DriftDetected(
                workspace=known.workspace,
                generation=known.generation,
                drift=tuple(RuleDrift(change="floating-ip-attached", port_id=each) for each in port_ids[:200]),
                seen_by="scan",
                repairing=True,
            )
        )


async def _dissociate(context: Context, floating_ip_id: str, request_id: str) -> str:
    await context.cloud.place_floating_ip(floating_ip_id, None, request_id=request_id)
    return floating_ip_id


async def raise_port(context: Context, port_id: str, request_id: str) -> str:
    await context.cloud.raise_port(port_id, request_id=request_id)
    return port_id
