"""The log judged by rules, behind everything that was acknowledged: from the stored stream, with a cursor of its own.

What is found, what is remembered and how far the log was judged commit together, so that each message counts once.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta

from contracts.audit import OPENSTACK, STREAMS, Row
from contracts.openstack import Notification
from contracts.security_monitor import Finding, FindingChanged, FindingRaised, FindingResolved
from security_monitor.domain.behind import BEHIND, REFUSED, behind, refused
from security_monitor.domain.detections import (
    Compiled,
    Found,
    Over,
    Record,
    due,
    project_of,
    record_of_event,
    record_of_notification,
    server_of,
)
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import audit, siem_file
from security_monitor.store import detections as detection_store
from security_monitor.store import findings as finding_store
from shared import metrics
from shared.notifications import BrokenNotification, Raw, decode
from shared.telemetry import logger
from shared.work import Work

READER = "detections"
PAGE_ROWS = 200
PAGES = 20
SCAN_ROWS = 20_000
"""So many rows of the log are looked through for those that some rule names, before the cursor moves."""
LONGEST_PAUSE = timedelta(seconds=60)
"""When the log was not judged for longer, nobody listened: what is waited for gets as much more time."""


@handlers.every(lambda context: context.detection_seconds)
async def detect(tx: Work[Context]) -> None:
    """Judge what is new in the log, then what did not come in its time."""
    files = tx.context.rule_files
    await asyncio.to_thread(files.refresh)
    now = tx.now
    await _tell_own(refused(files.refused, now) if files.refused else None, REFUSED, tx)
    await detection_store.turn(tx.connection, now, LONGEST_PAUSE)
    oldest = None
    for stream in STREAMS:
        position, end = await _judge_stream(stream, tx)
        metrics.DETECTION_UNJUDGED.labels(stream).set(end - position)
        if position < end:
            waiting = await detection_store.recorded_at(tx.connection, stream, position + 1)
            oldest = min(filter(None, (oldest, waiting)), default=None)
    if oldest is None:
        await _judge_silence(tx)
        await _tell_own(None, BEHIND, tx)
    elif (found := behind(oldest, now)) is not None:
        await _tell_own(found, BEHIND, tx)
    for finding in await finding_store.expire_acceptances(tx.connection, now):
        tx.emit(FindingChanged(finding=finding))


async def _judge_stream(stream: str, tx: Work[Context]) -> tuple[int, int]:
    """Where the stream was judged up to, and where it ends."""
    rules = tx.context.rule_files.rules
    position = await siem_file.position_of(tx.connection, READER, stream)
    end = (await audit.head(tx.connection, stream)).position
    types = rules.types(stream)
    for _ in range(PAGES):
        until = min(end, position + SCAN_ROWS)
        if until <= position:
            break
        rows = await detection_store.rows(tx.connection, stream, position, until, types, PAGE_ROWS)
        await _judge(await _records(stream, rows, tx), tx)
        position = rows[-1].position if len(rows) == PAGE_ROWS else until
    await siem_file.move_position(tx.connection, READER, stream, position)
    return position, end


async def _records(stream: str, rows: Sequence[Row], tx: Work[Context]) -> list[Record]:
    site = tx.context.site
    if stream != OPENSTACK:
        workspaces = {row.entry.workspace for row in rows}
        known = await detection_store.known(tx.connection, site, workspaces=workspaces)
        return [record_of_event(row, json.loads(row.entry.body), known) for row in rows]
    decoded: list[tuple[Row, Notification]] = []
    for row in rows:
        try:
            decoded.append((row, decode(Raw(row.entry.body, "", ""))))
        except BrokenNotification as error:
            logger().warning("detections.unreadable", position=row.position, error=str(error)[:200])
    known = await detection_store.known(
        tx.connection,
        site,
        projects=filter(None, (project_of(said) for _, said in decoded)),
        servers=filter(None, (server_of(said.payload) for _, said in decoded)),
    )
    return [record_of_notification(row, said, known) for row, said in decoded]


async def _judge(records: Sequence[Record], tx: Work[Context]) -> None:
    rules = tx.context.rule_files.rules
    hits = rules.hits(records, _failed)
    if not hits:
        return
    digests = rules.digests()
    places = (hit.place for hit in hits if hit.compiled.correlator is not None)
    judgement = rules.judge(hits, await detection_store.remembered(tx.connection, places, digests), _failed)
    await detection_store.remember(tx.connection, judgement.memories, digests)
    for outcome in judgement.outcome:
        await _tell(outcome, tx)


async def _judge_silence(tx: Work[Context]) -> None:
    digests = tx.context.rule_files.rules.digests()
    for place, memory in await detection_store.take_due(tx.connection, tx.now, digests, PAGE_ROWS * PAGES):
        if (missed := due(place, memory)) is not None:
            await _tell(missed, tx)


async def _tell(outcome: Found | Over, tx: Work[Context]) -> None:
    rule, key = outcome.place
    if isinstance(outcome, Found):
        if await finding_store.add(tx.connection, outcome.finding, about=key):
            tx.emit(FindingRaised(finding=outcome.finding))
        return
    for finding in await finding_store.resolve_about(tx.connection, rule, key, outcome.at):
        tx.emit(FindingResolved(finding=finding))


async def _tell_own(found: Finding | None, rule: str, tx: Work[Context]) -> None:
    """What the detections say of themselves, once, until they say something else or nothing."""
    about = hashlib.sha256(found.cause.encode()).hexdigest()[:32] if found else None
    for finding in await finding_store.resolve_others(tx.connection, rule, about, tx.now):
        tx.emit(FindingResolved(finding=finding))
    if found is not None and await finding_store.add(tx.connection, found, about=about):
        logger().error("detections.trouble", rule=rule, cause=found.cause)
        tx.emit(FindingRaised(finding=found))


def _failed(compiled: Compiled, record: Record, error: Exception) -> None:
    metrics.DETECTION_FAILURES.labels(compiled.rule.id).inc()
    logger().error(
        "detections.rule-failed",
        rule=compiled.rule.id,
        stream=record.stream,
        position=record.position,
        error=f"{type(error).__name__}: {error}"[:200],
    )
