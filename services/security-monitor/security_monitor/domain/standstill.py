"""A SIEM's file that takes nothing: what of it is a finding, and when."""

from datetime import datetime, timedelta

from contracts.security_monitor import Finding
from security_monitor.domain.making import said

RULE = "siem-standstill"
PATIENCE = timedelta(seconds=15)
"""A disk that hesitates is no finding; a gap is to be told within 30 s (invariant I19)."""


def standstill(begun_at: datetime, now: datetime, path: str, folder: str, error: str) -> Finding | None:
    """The finding, the same each time for one standstill; None while it is too young to be told."""
    if now - begun_at < PATIENCE:
        return None
    return Finding(
        finding_id=f"{RULE}-{begun_at:%Y%m%dT%H%M%S.%f}",
        rule=RULE,
        severity="high",
        title=said(f"The SIEM's file takes nothing since {begun_at:%Y-%m-%d %H:%M:%S} UTC"),
        cause=said(f"{path}: {error}; the audit log goes on, and the file is given all of it once it takes something"),
        mend=said(f"df -h {folder}"),
        runbook=f"docs/runbooks/{RULE}.md",
        raised_at=begun_at,
    )
