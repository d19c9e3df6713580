"""The full scan: the whole cloud listed once and proven for every workspace; what is not in order is looked at."""

from network_policy import store
from network_policy.domain.proof import Verdict
from network_policy.domain.sight import Sight, digest_of_drift
from network_policy.handlers.context import Context
from network_policy.handlers.duplicates import look_for_duplicates
from network_policy.handlers.enforcing import internal_networks, sight_of
from network_policy.handlers.hygiene import keep_hygiene
from network_policy.handlers.policy_testing import Judge, tell_tests
from network_policy.handlers.remembering import remember_cloud
from network_policy.handlers.telling import save_proof
from network_policy.store import Known
from shared.handlers import Turn


async def scan_cloud(turn: Turn[Context]) -> float | None:
    """Find what nobody told of. The scan itself repairs and tells nothing: it marks the workspace."""
    async with turn.transaction() as tx:
        everybody = [known for known in await store.load_all(tx.connection) if known.is_ready_to_enforce]
    if not everybody:
        return None
    observed_at = turn.now
    world = await turn.context.cloud.whole_world()
    sights = [
        (
            known,
            sight_of(
                known,
                turn.context.policies.of(known.document, turn.context.site),
                world.groups,
                world.ports,
                world.address_groups,
                internal_networks(turn.context, world),
            ),
        )
        for known in everybody
        if known.document is not None
    ]
    claims = [sight.claim for _, sight in sights]
    verdicts = await turn.context.model.scanned(world, claims, observed_at)
    judge = Judge(turn.context, world, claims)
    for known, sight in sights:
        verdict = verdicts[known.workspace]
        tested = await judge.results(known)
        async with turn.transaction() as tx:
            if await tell_tests(tx, known, tested, observed_at):
                # The second look has to be at all projects too.
                await store.set_suspect(tx.connection, known.workspace)
                tx.reconcile(known.workspace)
            if not verdict.holds and not known.violation:
                await store.set_suspect(tx.connection, known.workspace)
            if needs_a_look(known, sight, verdict, is_enforcing=turn.context.is_enforcing):
                tx.reconcile(known.workspace)
            else:
                await save_proof(tx, known.workspace, sight, verdict, observed_at)
    port_roles = {port_id: role for known in everybody for port_id, role in known.nodes.port_roles.items()}
    await keep_hygiene(turn, world, port_roles, observed_at)
    await remember_cloud(turn, world, everybody, observed_at)
    await look_for_duplicates(turn, world, {str(known.project_id): known.workspace for known in everybody})
    return None


def needs_a_look(known: Known, sight: Sight, verdict: Verdict, *, is_enforcing: bool) -> bool:
    """Whether something is to be done or told that has not been."""
    if not known.was_enforced or (is_enforcing and sight.todo):
        return True
    seen = {digest_of_drift(drift) for drift in sight.drift}
    return seen != set(known.open_drift) or verdict.holds == bool(known.violation)
