"""The audit log to the SIEM's file, and the log's own upkeep."""

import asyncio
import json

import orjson

from contracts.audit import OPENSTACK, STREAMS, Row
from security_monitor.domain.ocsf import event_of_message, event_of_notification
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import audit, siem_file
from shared.notifications import BrokenNotification, Raw, decode
from shared.telemetry import logger
from shared.work import Work

READER = "siem"
_PAGE_ROWS = 200
_PAGES = 20
_DAY_SECONDS = 86_400


@handlers.every(lambda context: context.siem_seconds)
async def write_siem(tx: Work[Context]) -> None:
    """What is new in the log, as OCSF; on the disk before the position moves, so that nothing is left out."""
    siem = tx.context.siem
    if siem is None:
        return
    for stream in STREAMS:
        position = await siem_file.position_of(tx.connection, READER, stream)
        for _ in range(_PAGES):
            rows = await audit.rows_after(tx.connection, stream, position, _PAGE_ROWS)
            if not rows:
                break
            lines = [line for row in rows if (line := line_of(row))]
            try:
                await asyncio.to_thread(siem.append, lines)
            except OSError as error:
                logger().error("siem.file_failed", path=str(siem.path), error=str(error))
                break
            position = rows[-1].position
        await siem_file.move_position(tx.connection, READER, stream, position)


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
