"""One look at one workspace: observe, plan, act, until the cloud is as the document says, or nothing is left of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from contracts.envelope import Event, Problem
from contracts.storage import AccessDrifted, AccessRepaired, StorageFailed, StorageReady, StorageReleased
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.handlers import Turn
from storage import store
from storage.domain import desired as wants
from storage.domain.access import drift
from storage.domain.desired import Desired
from storage.domain.faults import problem_of
from storage.domain.observed import Observed, Recorded, Records
from storage.domain.plan import plan, release
from storage.domain.state import MAX_TRIES, Known, ShareDrift, State
from storage.domain.steps import (
    CreateShare,
    CreateVolume,
    DeleteShare,
    DeleteVolume,
    DenyAccess,
    ForgetLimits,
    GrantRole,
    Plan,
    Step,
)
from storage.handlers.late import came_late
from storage.handlers.register import Context, handlers
from storage.handlers.watching import shares_told, volumes_told

UNANSWERED_SECONDS = 30.0
"""How long a create without an answer may still take effect, so that an empty list means nothing."""
STUCK_LOOK_SECONDS = 30.0


class Overtaken(Exception):
    """The workspace's row changed while it was looked at: look again."""


@handlers.reconcile
async def look(turn: Turn[Context]) -> float | None:
    """Bring one workspace nearer to what its document says. Returns seconds until the next look."""
    async with turn.transaction() as tx:
        known = await store.load(tx.connection, turn.key)
        records = await store.records(tx.connection, turn.key)
    if known is None or known.project_id is None:
        return None
    try:
        if known.state is State.RELEASING:
            return await _release(turn, known, known.project_id, records)
        if known.is_kept and known.document is not None:
            return await _keep(turn, known, known.project_id, records)
    except Overtaken:
        return 0.0
    return None


async def _keep(turn: Turn[Context], known: Known, project_id: str, records: Records) -> float | None:
    context = turn.context
    assert known.document is not None
    if found := wants.problems(known.document, context.site):
        return await _fail(turn, known, found) if known.state is State.MAKING else None
    wanted = wants.desired(known.document, known.generation, context.site)
    is_making = known.state in (State.MAKING, State.FAILED) and known.enforced_generation == known.generation
    observed = await _observe(turn, project_id, wanted, records, is_making=is_making)
    made = plan(wanted, observed, records, await came_late(turn, known.workspace, observed, records))
    known = await _tell_drift(turn, known, wanted, observed, records)
    if context.mode == "observe":
        if is_making and not made.is_settled:
            return await _fail(turn, known, made.problems or [_observing(made)], state=known.state)
        return await _finish(turn, known, wanted, made) if is_making else None
    if known.state in (State.WAITING, State.STOPPING, State.FAILED):
        if is_making and made.is_settled:
            return await _finish(turn, known, wanted, made)
        faults = await _make(turn, known, project_id, made.tightening())
        return context.look_seconds if made.tightening() and not faults else None
    if made.problems:
        await _make(turn, known, project_id, made.tightening())
        return await _fail(turn, known, made.problems, vanished=made.vanished)
    if made.steps and not known.has_begun:
        known = await _save(turn, replace(known, has_begun=True))
    faults = [*made.faults, *await _make(turn, known, project_id, made.steps)]
    if faults:
        return await _count(turn, known, faults)
    if made.steps or made.waits:
        return context.look_seconds
    return await _finish(turn, known, wanted, made) if known.state is State.MAKING else None


async def _observe(
    turn: Turn[Context], project_id: str, wanted: Desired, records: Records, *, is_making: bool
) -> Observed:
    """What there is, of the kinds that the workspace has or had anything to do with."""
    kinds = {kind for kind, _ in records}
    limits = wanted.limits or {}
    return await turn.context.cloud.observe(
        project_id,
        records,
        shares="share" in kinds or "share" in limits,
        volumes="volume" in kinds or "volume" in limits,
        limits=is_making,
        exports=is_making,
    )


async def _finish(turn: Turn[Context], known: Known, wanted: Desired, made: Plan) -> float | None:
    """All is there: record it and tell it, once a generation."""
    kept = {key: replace(each, is_told=True) for key, each in made.kept.items()}
    async with turn.transaction() as tx:
        done = replace(known, state=State.READY, tries=0, problems=(), has_begun=known.has_begun or bool(kept))
        await _saved(await store.save(tx.connection, done, tx.now))
        await store.record(tx.connection, known.workspace, kept.values())
        wanted_keys = {("share", each.cloud_name) for each in wanted.shares}
        wanted_keys |= {("volume", each.cloud_name) for each in wanted.volumes}
        on_record = await store.records(tx.connection, known.workspace)
        gone = [
            key for key, each in on_record.items() if key not in wanted_keys and each.resource_id not in made.leftovers
        ]
        await store.forget(tx.connection, known.workspace, gone)
        tx.emit(
            StorageReady(
                workspace=known.workspace,
                generation=known.generation,
                shares=shares_told(kept),
                volumes=volumes_told(kept),
            )
        )
    return None


async def _tell_drift(
    turn: Turn[Context], known: Known, wanted: Desired, observed: Observed, records: Records
) -> Known:
    """Tell, once, what access differs from what was last told, and once when it is right again."""
    by_id = {share.share_id: share for share in observed.shares}
    asked = {share.cloud_name: frozenset(map(str, share.access)) for share in wanted.shares}
    now_drifted: dict[str, ShareDrift] = {}
    events: list[Event] = []
    for record in records.values():
        share = by_id.get(record.resource_id)
        if record.kind != "share" or not record.is_told or share is None:
            continue
        told, ask = frozenset(record.access), asked.get(record.cloud_name, frozenset())
        is_changing = known.state is State.MAKING
        differs = drift(told | ask if is_changing else told, told & ask if is_changing else told, share.rules)
        before = known.drift.get(record.name)
        if differs:
            since = before.since if before is not None else turn.now
            now_drifted[record.name] = ShareDrift(differs.added, differs.removed, since)
            if before is None or (before.added, before.removed) != (differs.added, differs.removed):
                events.append(_drifted(turn, known, record, now_drifted[record.name]))
        elif before is not None:
            seconds = max(0.0, (turn.now - before.since).total_seconds())
            events.append(
                AccessRepaired(
                    workspace=known.workspace,
                    generation=known.tells_of,
                    share=record.name,
                    seconds_since_detection=seconds,
                )
            )
    if now_drifted == dict(known.drift):
        return known
    return await _save(turn, replace(known, drift=now_drifted), events)


def _drifted(turn: Turn[Context], known: Known, record: Recorded, seen: ShareDrift) -> AccessDrifted:
    return AccessDrifted(
        workspace=known.workspace,
        generation=known.tells_of,
        share=record.name,
        added=seen.added,
        removed=seen.removed,
        repairing=turn.context.mode == "enforce" and (known.state is State.READY or bool(seen.added)),
    )


async def _release(turn: Turn[Context], known: Known, project_id: str, records: Records) -> float | None:
    context = turn.context
    observed = await context.cloud.observe(project_id, records, shares=True, volumes=True, limits=False, exports=False)
    made = release(known.workspace, observed, records)
    if context.mode == "observe" and made.steps:
        return await _fail(turn, known, [_observing(made)], state=State.RELEASING)
    faults = [*made.faults, *await _make(turn, known, project_id, made.steps)]
    entered = known.since or turn.now
    if made.waits and (turn.now - entered).total_seconds() > context.attached_seconds:
        faults += [Problem(reason=wait, remedy="Nova and Cinder or Manila have to agree first") for wait in made.waits]
    if faults:
        await _fail(turn, known, faults, state=State.RELEASING)
        return STUCK_LOOK_SECONDS
    if made.steps or made.waits:
        return context.look_seconds
    async with turn.transaction() as tx:
        if await store.unanswered(tx.connection, known.workspace, tx.now, UNANSWERED_SECONDS):
            return UNANSWERED_SECONDS / 6
    if context.mode == "enforce":
        forgets = [ForgetLimits(f"{known.workspace}/{service}-quota", "", service) for service in ("share", "volume")]
        await _make(turn, known, project_id, forgets)
    async with turn.transaction() as tx:
        done = replace(known, state=State.RELEASED, has_begun=False, tries=0, problems=(), drift={})
        await _saved(await store.save(tx.connection, done, tx.now))
        await store.forget(tx.connection, known.workspace)
        tx.emit(StorageReleased(workspace=known.workspace, generation=known.deleting_generation))
    context.cloud.forget(project_id)
    return None


async def _make(turn: Turn[Context], known: Known, project_id: str, steps: Sequence[Step]) -> list[Problem]:
    """Make the calls in their order; returns what the cloud refused. Raises what is to be tried again as it is."""
    cloud = turn.context.cloud
    if steps and not await cloud.is_member(project_id):
        steps = [GrantRole(f"{known.workspace}/storage", ""), *steps]
    refused = []
    for step in steps:
        try:
            made = await turn.effect(
                step.verb,
                step.marker,
                lambda request_id, step=step: cloud.make(step, project_id, request_id),  # type: ignore[misc]
                find=lambda step=step: cloud.find(step, project_id, known.workspace),  # type: ignore[misc]
                repeatable=step.is_repeatable,
            )
        except NotFound as error:
            if not isinstance(step, DeleteShare | DeleteVolume | DenyAccess | ForgetLimits):
                refused.append(problem_of(step, str(error)))
        except (Invalid, Forbidden, Conflict) as error:
            refused.append(problem_of(step, str(error)))
            if isinstance(step, GrantRole):
                break
        else:
            if isinstance(step, CreateShare | CreateVolume) and made is not None:
                await _remember(turn, known, step, made)
    return refused


async def _remember(turn: Turn[Context], known: Known, step: CreateShare | CreateVolume, resource_id: str) -> None:
    """Put what was begun on record, so that it is ours whatever becomes of the document."""
    kind = "share" if isinstance(step, CreateShare) else "volume"
    name = step.marker.partition("/")[2]
    begun = Recorded(kind, step.name, name, resource_id, step.size_gib)
    if isinstance(step, CreateShare):
        begun = replace(begun, protocol=step.protocol)
    async with turn.transaction() as tx:
        await store.record(tx.connection, known.workspace, [begun])


async def _count(turn: Turn[Context], known: Known, faults: Sequence[Problem]) -> float | None:
    """Try again a few times, later each time, then give up."""
    if known.tries + 1 >= MAX_TRIES:
        return await _fail(turn, known, faults)
    await _save(turn, replace(known, tries=known.tries + 1, problems=tuple(faults)))
    return turn.context.retry_seconds * float(2**known.tries)


async def _fail(
    turn: Turn[Context],
    known: Known,
    problems: Iterable[Problem],
    *,
    vanished: Sequence[tuple[str, str]] = (),
    state: State = State.FAILED,
) -> float | None:
    """Tell what stands in the way, once; what is there stays. Only an event, or the scan, has it looked at again."""
    told = tuple(problems)
    if known.state is state and known.problems == told:
        return None
    async with turn.transaction() as tx:
        failed = replace(known, state=state, problems=told)
        await _saved(await store.save(tx.connection, failed, tx.now))
        await store.forget(tx.connection, known.workspace, vanished)
        tx.emit(StorageFailed(workspace=known.workspace, generation=known.tells_of, problems=told))
    return None


async def _save(turn: Turn[Context], known: Known, events: Sequence[Event] = ()) -> Known:
    async with turn.transaction() as tx:
        await _saved(await store.save(tx.connection, known, tx.now))
        tx.emit(*events)
    return replace(known, version=known.version + 1)


async def _saved(done: bool) -> None:
    if not done:
        raise Overtaken


def _observing(made: Plan) -> Problem:
    told = [step.told for step in made.steps] + made.waits
    return Problem(
        reason=f"storage only observes here and would: {'; '.join(told)}"[:2000],
        remedy="set the service's mode to enforce, or bring it about by hand",
    )
