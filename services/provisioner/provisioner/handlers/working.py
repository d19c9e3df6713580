"""Makes a plan's steps, a few at once, and tells of each; sorts what went wrong."""

import asyncio
from dataclasses import dataclass, field

from contracts.envelope import Problem
from provisioner import store
from provisioner.domain import faults, looking
from provisioner.domain.plan import Plan
from provisioner.domain.record import Record
from provisioner.domain.steps import AttachVolume, CreateNetwork, ForgetQuota, Step
from provisioner.handlers.context import Context
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.handlers import Turn

PAUSE_SECONDS = 0.5


@dataclass
class Outcome:
    """What came of a plan's steps. `hopeless` says why trying again is no use."""

    hopeless: list[Problem] = field(default_factory=list)
    error: Exception | None = None
    """The first error that may go away by itself."""
    made: int = 0
    """Steps that went well."""

    @property
    def pause_seconds(self) -> float | None:
        """How long to wait before the next look after an error that may pass; None where there was none.

        Raises the error when no step went well: the chassis' growing back-off is for clouds that do nothing at all.
        """
        if self.error is None:
            return None
        if not self.made:
            raise self.error
        asked = getattr(self.error, "retry_after_seconds", None)
        return float(asked) if asked else PAUSE_SECONDS


async def work(turn: Turn[Context], record: Record, plan: Plan) -> Outcome:
    """Make every step that is possible now. Raises nothing that the cloud says: see the outcome."""
    outcome = Outcome()
    slots = asyncio.Semaphore(turn.context.concurrent_steps)
    progress = _Progress(record, plan)

    async def make(step: Step) -> None:
        async with slots:
            if progress.is_overtaken:
                return
            try:
                await _effect(turn, step)
            except NotFound:
                return
            except (Invalid, Forbidden, Conflict) as error:
                _sort(outcome, plan, step, error)
            except Exception as error:
                outcome.error = outcome.error or error
            else:
                outcome.made += 1
                await progress.tell(turn, step)

    await asyncio.gather(*(make(step) for step in plan.steps))
    return outcome


async def _effect(turn: Turn[Context], step: Step) -> None:
    cloud = turn.context.cloud

    async def find() -> str | None:
        return await cloud.find(step)

    await turn.effect(
        step.verb,
        step.marker,
        lambda request_id: cloud.perform(step, request_id),
        find=None if step.is_repeatable else find,
        repeatable=step.is_repeatable,
    )


def _sort(outcome: Outcome, plan: Plan, step: Step, error: Invalid | Forbidden | Conflict) -> None:
    """A conflict passes, and so does a quota that is still held by what is going; a plain refusal stays.

    A network of a chosen segment is refused when somebody else has the segment: that may never go.
    """
    is_quota = isinstance(error, Conflict) and error.is_quota
    is_freeing = any(goal.kind == "surplus server" for goal in plan.goals)
    is_taken = isinstance(step, CreateNetwork) and step.segmentation_id is not None
    is_lasting = is_taken or (is_quota and not is_freeing)
    may_pass = isinstance(step, AttachVolume) or (isinstance(error, Conflict) and not is_lasting)
    if may_pass:
        outcome.error = outcome.error or error
    else:
        outcome.hopeless.append(faults.problem(f"{step.verb} of {step.marker.partition(':')[2]}", str(error)))


class _Progress:
    """Counts the steps of one plan as they are made."""

    def __init__(self, record: Record, plan: Plan) -> None:
        self._generation = record.generation
        self._state = record.state
        self._custody = record.gates.custody
        self.is_overtaken = False
        """The workspace has moved on, or is in quarantine: what is left of the plan was made for another state."""
        self._total = max(record.total, plan.total) if record.state == "deleting" else plan.total
        self._done = self._total - (plan.total - plan.done)

    async def tell(self, turn: Turn[Context], step: Step) -> None:
        """Tell that one more is done, unless the workspace has moved on meanwhile."""
        self._done += 1
        async with turn.transaction() as tx:
            known = await store.load(tx.connection, turn.key, lock=True)
            if known is None or (known.generation, known.state) != (self._generation, self._state):
                self.is_overtaken = True
                return
            self.is_overtaken = self.is_overtaken or known.gates.custody != self._custody
            done = min(self._done, self._total)
            record, events = looking.progress(known, step.told, done, self._total)
            await store.save(tx.connection, record)
            tx.emit(*events)


def has_forgotten_quotas(plan: Plan, outcome: Outcome) -> bool:
    """The plan's steps included the last of the quotas, and all went well."""
    return any(isinstance(step, ForgetQuota) for step in plan.steps) and not outcome.hopeless and outcome.error is None
