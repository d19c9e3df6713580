"""The audit log to the SIEM's file, and the log's own upkeep."""

import asyncio
import json
from collections.abc import Sequence

import orjson

from contracts.audit import OPENSTACK, STREAMS, Row
from contracts.security_monitor import FindingRaised, FindingResolved
from security_monitor.domain.ocsf import event_of_message, event_of_notification
from security_monitor.domain.standstill import RULE, standstill
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import audit, siem_file
from security_monitor.store import findings as finding_store
from security_monitor.store.siem_file import SiemFile
from shared import metrics
from shared.notifications import BrokenNotification, Raw, decode
from shared.telemetry import logger
from shared.work import Work

READER = "siem"
_PAGE_ROWS = 200
_PAGES = 20
_DAY_SECONDS = 86_400
WRITE_SECONDS = 5.0
"""How long the disk is waited for: then other timers have their turn, and what it did not take is given again."""


@handlers.every(lambda context: context.siem_seconds)
async def write_siem(tx: Work[Context]) -> None:
    """What is new in the log, as OCSF; on the disk before the position moves, so that nothing is left out."""
    siem = tx.context.siem
    if siem is None:
        return
    failure, has_written = None, False
    for stream in STREAMS:
        position = await siem_file.position_of(tx.connection, READER, stream)
        for _ in range(_PAGES):
            rows = await audit.rows_after(tx.connection, stream, position, _PAGE_ROWS)
            if not rows:
                break
            lines = [line for row in rows if (line := line_of(row))]
            try:
                await _append(siem, lines)
            except OSError as error:
                logger().error("siem.file_failed", path=str(siem.path), error=str(error))
                failure = error
                break
            has_written = has_written or bool(lines)
            position = rows[-1].position
        await siem_file.move_position(tx.connection, READER, stream, position)
        head = await audit.head(tx.connection, stream)
        metrics.SIEM_UNWRITTEN.labels(stream).set(head.position - position)
    if failure is not None:
        await _tell_standstill(tx, siem, failure)
    elif has_written:
        await _tell_its_end(tx)


async def _tell_standstill(tx: Work[Context], siem: SiemFile, failure: OSError) -> None:
    begun_at = await siem_file.stands_since(tx.connection, READER, tx.now)
    found = standstill(begun_at, tx.now, str(siem.path), str(siem.path.parent), str(failure))
    if found is not None and await finding_store.add(tx.connection, found):
        tx.emit(FindingRaised(finding=found))


async def _tell_its_end(tx: Work[Context]) -> None:
    if await siem_file.goes_on(tx.connection, READER):
        for finding in await finding_store.resolve(tx.connection, (RULE,), None, tx.now):
            tx.emit(FindingResolved(finding=finding))


async def _append(siem: SiemFile, lines: Sequence[str]) -> None:
    """Raises OSError when the disk refuses the lines, or does not take them in time; it may take them later."""
    writing = asyncio.create_task(asyncio.to_thread(siem.append, lines))
    done, _ = await asyncio.wait({writing}, timeout=WRITE_SECONDS)
    if not done:
        writing.add_done_callback(lambda late: late.cancelled() or late.exception())  # what comes of it is not needed
        raise TimeoutError(f"the disk took nothing for {WRITE_SECONDS:g} s")
    writing.result()


def line_of(row: Row) -> str | None:
    """The row as one line of OCSF; None for what can't be decoded, which stays in the log as it came."""
    try:
        if row.stream == OPENSTACK:
            event = event_of_notification(row, decode(Raw(row.entry.body, "", "")))
        else:
            event = event_of_message(row, json.loads(row.entry.body))
    except (BrokenNotification, ValueError) as error:
        logger().warning("siem.unreadable", stream=row.stream, position=row.position, error=str(error)[:200])
        return None
    return orjson.dumps(event).decode()


@handlers.every(_DAY_SECONDS / 4)
async def make_partitions(tx: Work[Context]) -> None:
    """The partitions of the coming months."""
    if made := await audit.ensure_partitions(tx.connection, tx.now):
        logger().info("audit.partitions", made=made)
