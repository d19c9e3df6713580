"""One look at a workspace: observe, tell what drifted, repair, observe again, prove, tell what holds."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.network_policy import PolicyTestResult
from network_policy import store
from network_policy.cloud import networks_of
from network_policy.domain.compile import Policy
from network_policy.domain.filters import Claim
from network_policy.domain.internal import internal_network_ids
from network_policy.domain.observed import Nearby
from network_policy.domain.proof import Verdict
from network_policy.domain.sight import Sight, see
from network_policy.domain.world import AddressGroup, Group, Port, World
from network_policy.handlers.afterwards import as_it_was, done, former, take_over, under_way
from network_policy.handlers.applying import out_of_quota, tell_refused
from network_policy.handlers.context import WHOLE_CLOUD, Context
from network_policy.handlers.effects import Hand
from network_policy.handlers.policy_testing import Judge, tell_tests
from network_policy.handlers.queries import bound_seconds
from network_policy.handlers.remembering import remember_project
from network_policy.handlers.surplus import remove_surplus
from network_policy.handlers.telling import Told, tell_drift, tell_outcome, tell_violation
from network_policy.store import Known, PromptRepair
from shared.handlers import Turn

ROUNDS = 3
"""Looks within one turn: make the groups, take out what Neutron put into them, see that it is so."""
CONFIRM_SECONDS = 0.5
STILL_VIOLATED_SECONDS = 10.0
REFUSED_SECONDS = 30.0
"""How soon to see whether the quota has been raised."""
WAITING_SECONDS = 1.0
"""How soon to look again for the notification that explains a difference; when it comes, it is looked at once."""


async def enforce(turn: Turn[Context], known: Known) -> float | None:
    """Bring the workspace's groups and ports to what is declared, and prove it. Seconds until the next look."""
    assert known.document is not None
    assert known.project_id is not None
    policy = turn.context.policies.of(known.document, turn.context.site)
    async with turn.transaction() as tx:
        told, repairs = await take_over(tx, known, Told.of(known))
    looked_at = listed_at = turn.now
    sight = first = await _look(turn, known, policy)
    hand = Hand(turn, known.workspace, known.project_id, {**known.group_ids, **sight.actual.group_ids})
    explaining: asyncio.Task[Verdict] | None = None
    try:
        if (sight.drift or told.is_waiting) and (known.was_enforced or not turn.context.is_enforcing):
            async with turn.transaction() as tx:
                before = told
                told = await tell_drift(tx, known, sight, told, repairing=turn.context.is_enforcing)
            if set(told.open_drift) - set(before.open_drift):
                # What the drift opened is found out while it is being closed: the repair does not wait for the words.
                explaining = asyncio.create_task(_prove_nearby(turn, known, sight, looked_at))
        if turn.context.is_enforcing:
            if not known.was_enforced and not await _fits(turn, known, sight):
                await hand.make(sight.repairs)
                return REFUSED_SECONDS
            if await remove_surplus(turn, sight, hand):
                listed_at = turn.now
                sight = await _look(turn, known, policy)
            for _ in range(ROUNDS):
                if not sight.todo:
                    break
                await hand.settle(sight)
                listed_at = turn.now
                sight = await _look(turn, known, policy)
    finally:
        if explaining is not None:
            told = await _explain(turn, known, first, explaining, told)
    observed_at = turn.now
    proof = await _prove(turn, known, policy, sight, listed_at, done(repairs))
    tested = await Judge(turn.context, proof.world, proof.claims).results(known)
    pause = await _conclude(turn, known, proof, tested, told, observed_at)
    if first.drift:
        await remember_project(turn, known, first, looked_at)
    await remember_project(turn, known, sight, listed_at)
    return CONFIRM_SECONDS if pause is None and under_way(repairs) else pause


@dataclass(frozen=True)
class _Proof:
    sight: Sight
    verdict: Verdict
    before: tuple[Sight, Verdict] | None
    """While that stood which was repaired at once."""
    repairs: tuple[PromptRepair, ...]
    world: World
    claims: tuple[Claim, ...]
    others: frozenset[str]
    """Workspaces that are isolated no longer by what was seen here."""


async def _conclude(
    turn: Turn[Context],
    known: Known,
    proof: _Proof,
    tested: tuple[PolicyTestResult, ...],
    told: Told,
    observed_at: datetime,
) -> float | None:
    sight, verdict = proof.sight, proof.verdict
    async with turn.transaction() as tx:
        if proof.before is not None:
            told = await tell_violation(tx, known, *proof.before, told, repairing=True)
            await store.explained(tx.connection, [each.repair_id for each in proof.repairs])
        # A look at a cloud in motion may see a port before its group: what nothing explains is looked at twice.
        confirmed = known.suspect or bool(told.violation)
        if not verdict.holds and confirmed:
            repairing = turn.context.is_enforcing and bool(sight.todo)
            told = await tell_violation(tx, known, sight, verdict, told, repairing=repairing)
        told = await tell_outcome(tx, known, sight, verdict, told, observed_at=observed_at)
        is_unsure = await tell_tests(tx, known, tested, observed_at)
        for workspace in sorted(proof.others):
            tx.reconcile(workspace)
        if _begins_the_span(turn, known, proof):
            tx.reconcile(WHOLE_CLOUD)
    if turn.context.is_enforcing and sight.todo:
        return CONFIRM_SECONDS
    if not verdict.holds:
        return STILL_VIOLATED_SECONDS if confirmed else CONFIRM_SECONDS
    if is_unsure:
        return CONFIRM_SECONDS
    return WAITING_SECONDS if told.is_waiting else None


def _begins_the_span(turn: Turn[Context], known: Known, proof: _Proof) -> bool:
    """Whether the history is to begin here: the policy stands, or was first looked at, and nobody scans as yet."""
    bound = timedelta(seconds=bound_seconds(turn.context))
    if known.scanned_at is not None and turn.now - known.scanned_at <= bound:
        return False
    if not turn.context.is_enforcing:
        return known.observed_at is None
    return not known.was_enforced and proof.verdict.holds and not proof.sight.todo


async def _fits(turn: Turn[Context], known: Known, sight: Sight) -> bool:
    """Whether the project's quota has room for the whole policy; what does not fit is not begun, and told."""
    assert known.project_id is not None
    refused = await out_of_quota(turn.context, known.project_id, sight.steps)
    await tell_refused(turn, known, refused)
    return not refused


async def _look(turn: Turn[Context], known: Known, policy: Policy) -> Sight:
    assert known.project_id is not None
    cloud = turn.context.cloud
    groups, ports = await asyncio.gather(cloud.groups(known.project_id), cloud.ports(known.project_id))
    is_by_address = policy.far_ends == "address-group"
    address_groups = await cloud.address_groups(known.project_id) if is_by_address else ()
    site = turn.context.site
    internal = await cloud.internal_network_ids(
        site.internal_api_network, site.internal_api_prefixes, {port.network_id for port in ports}
    )
    return sight_of(known, policy, groups, ports, address_groups, internal)


def sight_of(
    known: Known,
    policy: Policy,
    groups: tuple[Group, ...],
    ports: tuple[Port, ...],
    address_groups: tuple[AddressGroup, ...] = (),
    internal_network_ids: frozenset[str] = frozenset(),
) -> Sight:
    """What the listed groups and ports mean for the workspace."""
    assert known.project_id is not None
    return see(
        policy,
        known.project_id,
        groups,
        ports,
        recorded_groups=known.group_ids,
        known_rules=known.rules,
        nodes=known.nodes,
        address_groups=address_groups,
        internal_network_ids=internal_network_ids,
    )


def internal_networks(context: Context, world: World) -> frozenset[str]:
    """The networks that no tenant's port belongs on (row C3)."""
    site = context.site
    return internal_network_ids(site.internal_api_network, site.internal_api_prefixes, world.networks, world.subnets)


async def _explain(
    turn: Turn[Context], known: Known, sight: Sight, explaining: asyncio.Task[Verdict], told: Told
) -> Told:
    """Tell what the drift made possible, if it could be found out."""
    verdict = await explaining
    if verdict.holds:
        return told
    async with turn.transaction() as tx:
        return await tell_violation(tx, known, sight, verdict, told, repairing=turn.context.is_enforcing)


async def _surroundings(turn: Turn[Context], known: Known, sight: Sight) -> Nearby:
    networks = networks_of(known.network_ids, sight.ports)
    world = await turn.context.cloud.surroundings(sight.project_id, sight.groups, sight.ports, networks)
    return Nearby(world, sight.project_id, networks)


async def _prove_nearby(turn: Turn[Context], known: Known, sight: Sight, at: datetime) -> Verdict:
    await _be_current(turn)
    nearby = await _surroundings(turn, known, sight)
    return (await turn.context.model.prove(nearby, sight.claim, at)).verdict


async def _be_current(turn: Turn[Context]) -> None:
    """The whole cloud is listed here where no scan did so lately: it may be another replica that scans."""
    model, age = turn.context.model, timedelta(seconds=2 * bound_seconds(turn.context))
    if model.is_current(turn.now - age):
        return
    async with model.listing:
        if not model.is_current(turn.now - age):
            at, world = turn.now, await turn.context.cloud.whole_world()
            async with turn.transaction() as tx:
                everybody = await store.load_all(tx.connection)
            await model.listed(world, claims_of(turn.context, everybody, world, None), at)


async def _prove(
    turn: Turn[Context],
    known: Known,
    policy: Policy,
    sight: Sight,
    at: datetime,
    repairs: tuple[PromptRepair, ...],
) -> _Proof:
    """The verdict: over all projects before the policy is called enforced, and while something is wrong.

    `at`: when the sight's listing began.
    """
    model, others = turn.context.model, list[Claim]()
    if known.was_enforced and not known.suspect and not known.violation:
        await _be_current(turn)
        nearby = await _surroundings(turn, known, sight)
        world = nearby.world
        proven = await model.prove(nearby, sight.claim, at, former(repairs))
    else:
        at, world = turn.now, await turn.context.cloud.whole_world()
        async with turn.transaction() as tx:
            everybody = await store.load_all(tx.connection)
        internal = internal_networks(turn.context, world)
        sight = sight_of(known, policy, world.groups, world.ports, world.address_groups, internal)
        others = claims_of(turn.context, everybody, world, known.workspace)
        await model.listed(world, (sight.claim, *others), at)
        proven = await model.verdict(known.workspace, former(repairs))
    before = None
    if proven.former is not None:
        was = as_it_was(world, repairs)
        internal = internal_networks(turn.context, was)
        before = sight_of(known, policy, was.groups, was.ports, was.address_groups, internal), proven.former
    claims = (sight.claim, *others)
    return _Proof(sight, proven.verdict, before, repairs, world, claims, proven.others)


def claims_of(context: Context, everybody: tuple[Known, ...], world: World, without: str | None) -> list[Claim]:
    """The other workspaces' sides of the proof."""
    return [
        sight_of(other, context.policies.of(other.document, context.site), world.groups, world.ports).claim
        for other in everybody
        if other.workspace != without and other.document is not None and other.project_id is not None
    ]
