"""A plan applied on command: exactly the one that was shown, from the state that it was shown for.

The order is kept with the command. Before the first call the plan is made again and held against the order's digest; one
commit then makes the order's document the declared one, and from there the look that keeps every policy makes the steps,
goes on after a crash, and says when all of it stands.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

from contracts.documents import problems
from contracts.envelope import CommandEnvelope, Problem
from contracts.network_policy import ApplyPolicy, PolicyApplied, PolicyRefused
from contracts.workspace import Workspace
from network_policy import store
from network_policy.domain.compile import Uncompilable
from network_policy.domain.drift import ProtectPort
from network_policy.domain.plan import Step
from network_policy.domain.room import quota_problems
from network_policy.handlers.context import Context, handlers
from network_policy.handlers.planning import planned_of
from network_policy.store import Known
from network_policy.store.applies import Apply, begin_apply, end_apply, open_applies, order_apply, told_refused
from shared.errors import Rejected
from shared.handlers import Turn
from shared.work import Work

Keep = Callable[[Turn[Context], Known], Awaitable[float | None]]


@handlers.on(ApplyPolicy)
async def order(command: ApplyPolicy, tx: Work[Context]) -> None:
    """Take the order, if there is such a workspace and the document changes what is network-policy's alone."""
    document = command.document
    if not tx.context.is_enforcing:
        raise Rejected(
            "network-policy only observes: it writes nothing to the cloud", "start it with TRESOR_MODE=enforce"
        )
    known = await store.load(tx.connection, document.name)
    if known is None or known.document is None or known.state != "declared":
        raise Rejected(Problem(field="document.name", reason=f"there is no workspace '{document.name}'"))
    if not known.is_ready_to_enforce:
        raise Rejected(f"{known.workspace} has no network yet", "wait until it is ready, then plan again")
    expected = tx.cause.expectedgeneration if isinstance(tx.cause, CommandEnvelope) else None
    if expected not in (None, known.generation):
        raise Rejected(
            f"{known.workspace} stands at generation {known.generation}, not at {expected}",
            "plan again, then apply that",
        )
    found = [*problems(document, tx.context.site), *_foreign(known.document, document)]
    if found:
        raise Rejected(found)
    assert tx.cause is not None
    made = Apply(tx.cause.id, known.workspace, command.plan, document, tx.holder, "ordered")
    await order_apply(tx.connection, made, tx.now)
    tx.hold()
    tx.context.pace.hurry(known.workspace)
    tx.reconcile(known.workspace)


def _foreign(old: Workspace, new: Workspace) -> list[Problem]:
    """What the document changes beside the policy: that is the provisioner's to do."""
    before, after = (_without_policy(each) for each in (old, new))
    return [
        Problem(
            field=f"document.{field}",
            reason=f"'{field}' differs from what is declared, and an apply changes the policy alone",
            remedy="give the document with `tresor workspace create`",
        )
        for field in sorted(before.keys() | after.keys())
        if before.get(field) != after.get(field)
    ]


def _without_policy(document: Workspace) -> dict[str, object]:
    body = document.model_dump(mode="json", by_alias=True, exclude={"flows"})
    body["roles"] = [
        {name: value for name, value in role.items() if name not in ("kubernetes_api", "tunnels")}
        for role in body["roles"]
    ]
    body["networks"] = [
        {name: value for name, value in network.items() if name != "zone"} for network in body["networks"]
    ]
    return body


async def keep_applied(turn: Turn[Context], known: Known, keep: Keep) -> float | None:
    """Begin what was ordered, keep the policy, and end what stands."""
    async with turn.transaction() as tx:
        orders = await open_applies(tx.connection, known.workspace)
    for each in orders:
        if each.state == "ordered":
            await _begin(turn, known, each)
            known = await _loaded(turn, known)
    pause = await keep(turn, known)
    if orders:
        await _end(turn, known, orders)
    return pause


async def _begin(turn: Turn[Context], known: Known, order_: Apply) -> None:
    """Hold the plan against the order; nothing was changed for it before this."""
    refused: Sequence[Problem] = ()
    if known.state == "declared" and known.project_id is not None:
        try:
            planned = await planned_of(turn.context, order_.document, known)
        except Uncompilable as error:
            refused = (Problem(field="document", reason=str(error)),)
        else:
            refused = (
                _moved(order_, planned.plan)
                if planned.plan != order_.plan
                else await out_of_quota(turn.context, known.project_id, planned.steps)
            )
    else:
        refused = (Problem(reason=f"{known.workspace} is being deleted"),)
    async with turn.transaction() as tx:
        if not refused and not await begin_apply(tx.connection, order_, known.generation):
            refused = (
                Problem(reason=f"{known.workspace} has a newer generation", remedy="plan again, then apply that"),
            )
        if refused:
            await tx.rejected(order_.command_id, refused)
            await end_apply(tx.connection, [order_.command_id], "refused", tx.now)


def _moved(order_: Apply, plan: str) -> tuple[Problem, ...]:
    return (
        Problem(
            field="plan",
            reason="the cloud, the workspace or the document is not what this plan was made for"
            f" (it is {plan} now, not {order_.plan}); nothing was changed",
            remedy="look at the plan anew, then apply that",
        ),
    )


async def out_of_quota(context: Context, project_id: str, steps: Sequence[Step | ProtectPort]) -> tuple[Problem, ...]:
    """What of the steps does not fit into the project's quota. Raises CloudError."""
    making = [step for step in steps if not isinstance(step, ProtectPort)]
    if not making:
        return ()
    return tuple(quota_problems(making, await context.cloud.quota(project_id)))


async def _loaded(turn: Turn[Context], known: Known) -> Known:
    async with turn.transaction() as tx:
        return await store.load(tx.connection, known.workspace) or known


async def _end(turn: Turn[Context], known: Known, orders: Sequence[Apply]) -> None:
    """What is enforced and proven has ended; what a newer document has overtaken has failed."""
    async with turn.transaction() as tx:
        now = await store.load(tx.connection, known.workspace)
        begun = [each for each in await open_applies(tx.connection, known.workspace) if each.state == "begun"]
        for each in begun:
            if now is None or now.state != "declared" or now.document != each.document:
                await tx.failed(each.command_id, (Problem(reason="another document was declared meanwhile"),))
                await end_apply(tx.connection, [each.command_id], "failed", tx.now)
            elif now.was_enforced:
                await tx.applied(each.command_id)
                tx.emit(
                    PolicyApplied(
                        workspace=now.workspace, generation=now.generation, plan=each.plan, holder=each.holder
                    )
                )
                await end_apply(tx.connection, [each.command_id], "applied", tx.now)


async def tell_refused(turn: Turn[Context], known: Known, problems_: Sequence[Problem]) -> None:
    """Tell that the policy does not fit, once for the same problems; or remember that it does."""
    digest = hashlib.sha256(repr(problems_).encode()).hexdigest()[:16] if problems_ else ""
    async with turn.transaction() as tx:
        if await told_refused(tx.connection, known.workspace, digest) and problems_:
            tx.emit(PolicyRefused(workspace=known.workspace, generation=known.generation, problems=tuple(problems_)))
