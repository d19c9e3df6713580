"""Where a consumer stands with each producer's numbers: which event is the next one, and what is missing is asked for."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from contracts.chassis import chassis_messages
from shared import metrics
from shared.telemetry import logger
from shared.work import Work

ASK_AGAIN = timedelta(seconds=5)

_NEXT_HEARD = """
INSERT INTO heard (producer, aggregate, sequence) SELECT $1::text, $2::text, $3::bigint
WHERE $3 = 1 OR EXISTS (SELECT 1 FROM heard WHERE producer = $1 AND aggregate = $2)
ON CONFLICT (producer, aggregate) DO UPDATE SET sequence = $3, asked_at = NULL
WHERE heard.sequence = $3 - 1 OR (heard.sequence < $3 AND $3 <= heard.thinned + 1)
RETURNING 1
"""


async def is_next(producer: str, aggregate: str, sequence: int, work: Work[Any]) -> bool:
    """Whether this is the event that follows on what was heard; what is missing before it is asked for otherwise."""
    if await work.connection.fetchval(_NEXT_HEARD, producer, aggregate, sequence):
        return True
    heard = await _heard(producer, aggregate, work)
    if sequence <= heard:
        metrics.MESSAGES_REPEATED.labels("event").inc()
    else:
        await _ask(producer, aggregate, heard + 1, sequence, work)
    return False


async def compare(producer: str, heads: Mapping[str, int], thinned: Mapping[str, int], work: Work[Any]) -> None:
    """Ask for what a producer has told, by its own word, and was not heard here."""
    known = {
        row["aggregate"]: row["sequence"]
        for row in await work.connection.fetch(
            "SELECT aggregate, sequence FROM heard WHERE producer = $1 AND aggregate = ANY($2)",
            producer,
            list(heads),
        )
    }
    for aggregate, last in sorted(heads.items()):
        heard = known.get(aggregate, 0)
        if last > heard:
            await _heard(producer, aggregate, work)
            await _know_thinned(producer, aggregate, heard, thinned.get(aggregate, 0), work)
            if await _is_still_behind(producer, aggregate, work):
                await _ask(producer, aggregate, heard + 1, last, work)


async def _heard(producer: str, aggregate: str, work: Work[Any]) -> int:
    sequence: int = await work.connection.fetchval(
        """INSERT INTO heard (producer, aggregate, sequence) VALUES ($1, $2, 0)
           ON CONFLICT (producer, aggregate) DO UPDATE SET sequence = heard.sequence RETURNING sequence""",
        producer,
        aggregate,
    )
    return sequence


async def _is_still_behind(producer: str, aggregate: str, work: Work[Any]) -> bool:
    """Whether nothing has come since a head was first seen ahead: until then the events may be on their way."""
    noticed = await work.connection.execute(
        "UPDATE heard SET asked_at = $3 WHERE producer = $1 AND aggregate = $2 AND asked_at IS NULL",
        producer,
        aggregate,
        work.now,
    )
    return noticed == "UPDATE 0"


async def _ask(producer: str, aggregate: str, first: int, last: int, work: Work[Any]) -> None:
    """Have the producer send again what is missing; not more often than every few seconds."""
    asked = await work.connection.fetchval(
        """UPDATE heard SET asked_at = $3 WHERE producer = $1 AND aggregate = $2
           AND (asked_at IS NULL OR asked_at < $4) RETURNING 1""",
        producer,
        aggregate,
        work.now,
        work.now - ASK_AGAIN,
    )
    if asked:
        metrics.SEQUENCE_GAPS.labels(producer).inc()
        logger().info("intake.gap", producer=producer, aggregate=aggregate, first=first, last=last)
        work.emit(chassis_messages(producer).resend(workspace=aggregate, first=first, last=last))


async def _know_thinned(producer: str, aggregate: str, heard: int, thinned: int, work: Work[Any]) -> None:
    """Whoever comes late goes without the events that were overtaken and are kept no more."""
    if thinned > heard and await work.connection.fetchval(
        "UPDATE heard SET thinned = $3 WHERE producer = $1 AND aggregate = $2 AND thinned < $3 RETURNING 1",
        producer,
        aggregate,
        thinned,
    ):
        metrics.EVENTS_MISSED.labels(producer).inc(thinned - heard)
        logger().warning("intake.thinned", producer=producer, aggregate=aggregate, heard=heard, thinned=thinned)
