"""What can be asked: the findings, and whether the audit log is whole."""

import asyncio
import hashlib

from contracts.audit import STREAMS, Break, Head, verify
from contracts.security_monitor import (
    AuditHead,
    Detection,
    DetectionList,
    FindingList,
    ListDetections,
    ListFindings,
    ShowAudit,
)
from security_monitor.domain.making import said
from security_monitor.handlers.register import Context, handlers
from security_monitor.store import audit
from security_monitor.store import findings as finding_store
from shared.work import Work


@handlers.answer(ListFindings)
async def list_findings(query: ListFindings, tx: Work[Context]) -> FindingList:
    """The newest findings."""
    found, truncated = await finding_store.newest(
        tx.connection, query.of, resolved=query.resolved, coverage=tx.coverage, finding_id=query.finding_id
    )
    return FindingList(findings=tuple(found), truncated=truncated)


@handlers.answer(ListDetections)
async def list_detections(query: ListDetections, tx: Work[Context]) -> DetectionList:
    """The rules in force."""
    files = tx.context.rule_files
    await asyncio.to_thread(files.refresh)
    return DetectionList(
        detections=tuple(
            Detection(
                rule=name,
                title=each.compiled.rule.title,
                severity=each.compiled.rule.level,
                status=each.compiled.rule.status,
                origin=each.origin,
                idle=each.compiled.idle,
                tags=each.compiled.rule.tags,
                text=each.text if query.rule else "",
            )
            for name, each in sorted(files.loaded.items())
            if query.rule in (None, name)
        ),
        refused=said(files.refused),
    )


@handlers.answer(ShowAudit)
async def show_audit(query: ShowAudit, tx: Work[Context]) -> AuditHead:
    """Where the log stands: all streams' heads in one digest; read from the first row when that is asked."""
    heads = [await audit.head(tx.connection, stream) for stream in STREAMS]
    digest = hashlib.sha256("".join(f"{head.stream}\n{head.position}\n{head.link.hex()}\n" for head in heads).encode())
    verified = query.verify and not [head for head in heads if await _break_before(head, tx)]
    return AuditHead(rows=sum(head.position for head in heads), head=f"sha256:{digest.hexdigest()}", verified=verified)


async def _break_before(head: Head, tx: Work[Context]) -> Break | None:
    """The first break of the stream up to its head, a page of rows at a time."""
    after = Head(head.stream, 0, bytes(32))
    while after.position < head.position:
        rows = await audit.rows_after(tx.connection, head.stream, after.position)
        rows = [row for row in rows if row.position <= head.position]
        if found := verify(rows, after=after):
            return found
        if not rows:
            break
        after = Head(head.stream, rows[-1].position, rows[-1].link)
    return verify([], head, after=after)
