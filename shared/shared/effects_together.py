"""Many calls of one kind, side by side: told of before in one commit, settled after in one, as `effects` does for one.

For calls that may be made twice without harm. Each carries a request id of its own, and each outcome is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.outcome import EffectRecorded
from shared import metrics
from shared.effects import SETTLE, EffectTurn
from shared.errors import LeaseLost, Unknown
from shared.telemetry import cleaned, span

MAX_TOGETHER = 200
"""Calls between two commits: as much is made again at the most after a crash."""

Call = Callable[[str], Awaitable[str | None]]

_GIVE_UP = """
UPDATE intent SET state = 'failed', error = 'made again', settled_at = $3
WHERE marker = ANY($1) AND step = $2 AND state IN ('sent', 'unknown')
"""
_SEND = """
INSERT INTO intent (intent_id, key, step, marker, request_id, fence, state, sent_at)
SELECT intent_id, $1, $2, marker, request_id, $3, 'sent', $4
FROM unnest($5::uuid[], $6::text[], $7::text[]) AS called (intent_id, marker, request_id)
"""


@dataclass(frozen=True)
class _Made:
    marker: str
    intent_id: str
    request_id: str
    state: str
    resource_id: str | None
    error: str
    failure: Exception | None
    duration_seconds: float


async def make_effects(
    turn: EffectTurn, message: type[EffectRecorded], step: str, calls: Mapping[str, Call], *, workspace: str
) -> dict[str, Exception]:
    """Make all the calls, by their markers. Returns the failures; raises none of them."""
    failures: dict[str, Exception] = {}
    markers = list(calls)
    for start in range(0, len(markers), MAX_TOGETHER):
        batch = {marker: calls[marker] for marker in markers[start : start + MAX_TOGETHER]}
        made = await _make(turn, message, step, batch, workspace)
        failures |= {one.marker: one.failure for one in made if one.failure is not None}
    return failures


async def _make(
    turn: EffectTurn, message: type[EffectRecorded], step: str, calls: Mapping[str, Call], workspace: str
) -> list[_Made]:
    ids = {marker: (turn.ids.uuid(), turn.ids.request_id()) for marker in calls}
    async with turn.transaction() as work:
        await work.connection.execute(_GIVE_UP, list(ids), step, work.now)
        columns: list[list[Any]] = [
            [intent_id for intent_id, _ in ids.values()],
            list(ids),
            [request_id for _, request_id in ids.values()],
        ]
        await work.connection.execute(_SEND, turn.key, step, turn.lane[1], work.now, *columns)
    if not turn.surely_ours():
        raise LeaseLost(f"the lease on {turn.key} ended before {step}")
    with span(f"effects {step}", calls=str(len(calls))):
        made = list(await asyncio.gather(*(_call(turn, step, marker, *ids[marker], calls[marker]) for marker in calls)))
    async with turn.transaction() as work:
        settled = [(one.intent_id, one.state, one.resource_id, one.error or None, work.now) for one in made]
        await work.connection.executemany(SETTLE, settled)
        work.emit(
            *(
                message(
                    workspace=workspace,
                    step=step,
                    marker=one.marker,
                    request_id=one.request_id,
                    outcome=one.state,
                    resource_id=one.resource_id,
                    error=one.error,
                    duration_seconds=one.duration_seconds,
                )
                for one in made
            )
        )
    return made


async def _call(turn: EffectTurn, step: str, marker: str, intent_id: str, request_id: str, call: Call) -> _Made:
    began = turn.clock.monotonic_seconds()
    resource_id: str | None = None
    failure: Exception | None = None
    try:
        resource_id = await call(request_id)
    except Exception as error:
        failure = error
    state = "done" if failure is None else "unknown" if isinstance(failure, Unknown) else "failed"
    said = cleaned(f"{type(failure).__name__}: {failure}")[:1000] if failure else ""
    metrics.EFFECTS.labels(step, state).inc()
    seconds = turn.clock.monotonic_seconds() - began
    return _Made(marker, intent_id, request_id, state, resource_id, said, failure, seconds)
