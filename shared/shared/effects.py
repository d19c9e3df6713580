"""Calls that change the cloud: told of before, settled after, never made twice on an unknown outcome (I2, I13)."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

from contracts.outcome import EffectRecorded
from shared import metrics
from shared.clock import Clock, Ids
from shared.errors import LeaseLost, Unknown, Unsettled
from shared.telemetry import cleaned, span
from shared.work import Work

UNSETTLED_SECONDS = 30.0
"""How long an unanswered call is waited for. What takes effect later still is for its owner to find and take away."""
LOOK_AGAIN_SECONDS = 2.0
"""How often it is looked for meanwhile: it is adopted as soon as it is there."""
READS_LAG_SECONDS = 10.0
"""How long what was made may be missing in what is read, as where reads go to a copy of the database."""

_OPEN = """
SELECT intent_id::text, coalesce(settled_at, sent_at) AS ended_at FROM intent WHERE marker = $1 AND step = $2 AND state IN ('sent', 'unknown')
ORDER BY sent_at DESC LIMIT 1
"""
_SEND = """
INSERT INTO intent (intent_id, key, step, marker, request_id, fence, state, sent_at) VALUES ($1, $2, $3, $4, $5, $6, 'sent', $7)
"""
SETTLE = "UPDATE intent SET state = $2, resource_id = $3, error = $4, settled_at = $5 WHERE intent_id = $1"
_UNANSWERED = """
SELECT EXISTS (
    SELECT FROM intent
    WHERE key = $1 AND step LIKE '%.create' AND resource_id IS NULL AND state <> 'failed'
          AND CASE state WHEN 'unknown' THEN settled_at ELSE sent_at END > $2
)
"""
_JUST_MADE = """
SELECT EXISTS (
    SELECT FROM intent AS made
    WHERE marker = $1 AND step = $2 AND state = 'done' AND resource_id IS NOT NULL AND settled_at > $3 AND NOT EXISTS (
        SELECT FROM intent AS gone
        WHERE gone.key = made.key AND gone.step LIKE '%.delete' AND gone.state = 'done'
              AND gone.settled_at >= made.settled_at
              AND (gone.resource_id = made.resource_id OR right(gone.marker, length(made.resource_id)) = made.resource_id)
    )
)
"""
_SETTLE_OPEN = """
UPDATE intent SET state = $3, resource_id = $4, error = $5, settled_at = $6
WHERE marker = $1 AND step = $2 AND state IN ('sent', 'unknown')
"""


class EffectTurn(Protocol):
    """What an effect needs of a turn."""

    key: str
    lane: tuple[int, int]

    @property
    def now(self) -> datetime: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    def transaction(self) -> AbstractAsyncContextManager[Work[Any]]: ...
    def surely_ours(self) -> bool: ...


async def make_effect(
    turn: EffectTurn,
    message: type[EffectRecorded],
    step: str,
    marker: str,
    call: Callable[[str], Awaitable[str | None]],
    *,
    find: Callable[[], Awaitable[str | None]] | None,
    workspace: str,
    repeatable: bool,
) -> str | None:
    """See `handlers.Turn.effect`."""
    async with turn.transaction() as work:
        before = await work.connection.fetchrow(_OPEN, marker, step)
        since = work.now - timedelta(seconds=READS_LAG_SECONDS)
        is_new = find is not None and not repeatable and await work.connection.fetchval(_JUST_MADE, marker, step, since)
    if find is not None and is_new:
        if (seen := await find()) is not None:
            return seen
        raise Unsettled(marker, LOOK_AGAIN_SECONDS, "made, and can't be seen yet")
    if before is not None:
        adopted = await _settle_former(turn, step, marker, before["ended_at"], find, repeatable)
        if adopted is not None:
            return adopted
    intent_id, request_id = turn.ids.uuid(), turn.ids.request_id()
    async with turn.transaction() as work:
        await work.connection.execute(_SEND, intent_id, turn.key, step, marker, request_id, turn.lane[1], work.now)
    if not turn.surely_ours():
        raise LeaseLost(f"the lease on {turn.key} ended before {step}")
    began = turn.clock.monotonic_seconds()
    resource_id: str | None = None
    failure: Exception | None = None
    with span(f"effect {step}", marker=marker, request_id=request_id):
        try:
            resource_id = await call(request_id)
        except Exception as error:
            failure = error
    state = "done" if failure is None else "unknown" if isinstance(failure, Unknown) else "failed"
    said = cleaned(f"{type(failure).__name__}: {failure}")[:1000] if failure else ""
    metrics.EFFECTS.labels(step, state).inc()
    async with turn.transaction() as work:
        await work.connection.execute(SETTLE, intent_id, state, resource_id, said or None, work.now)
        work.emit(
            message(
                workspace=workspace,
                step=step,
                marker=marker,
                request_id=request_id,
                outcome=state,
                resource_id=resource_id,
                error=said,
                duration_seconds=turn.clock.monotonic_seconds() - began,
            )
        )
    if failure is not None:
        raise failure
    return resource_id


async def is_awaited(work: Work[Any], key: str) -> bool:
    """Whether a call that creates something for the key had no answer, and may still take effect."""
    since = work.now - timedelta(seconds=UNSETTLED_SECONDS)
    found: bool = await work.connection.fetchval(_UNANSWERED, key, since)
    return found


async def _settle_former(
    turn: EffectTurn,
    step: str,
    marker: str,
    ended_at: datetime,
    find: Callable[[], Awaitable[str | None]] | None,
    repeatable: bool,
) -> str | None:
    """Find out what became of a call without an answer. Raises Unsettled while it may still take effect.

    `ended_at`: when its caller gave it up, or sent it and died.
    """
    found = await find() if find is not None else None
    left = timedelta(seconds=UNSETTLED_SECONDS) - (turn.now - ended_at)
    if found is None and not repeatable and left > timedelta(0):
        raise Unsettled(marker, min(LOOK_AGAIN_SECONDS, left.total_seconds()))
    async with turn.transaction() as work:
        state, said = ("done", None) if found is not None else ("failed", "nothing was found of it")
        await work.connection.execute(_SETTLE_OPEN, marker, step, state, found, said, work.now)
    return found
