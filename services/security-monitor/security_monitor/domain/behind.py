"""What the detections have to say of themselves: that they lag behind the log, or that rules could not be read."""

from datetime import datetime, timedelta

from contracts.security_monitor import Finding
from security_monitor.domain.making import said

BEHIND = "detections-behind"
REFUSED = "detections-refused"
PATIENCE = timedelta(seconds=60)
"""A burst is no finding."""


def behind(oldest_at: datetime, now: datetime) -> Finding | None:
    """The log has waited for long to be judged; `oldest_at`: when the oldest row that waits was written."""
    if now - oldest_at < PATIENCE:
        return None
    return Finding(
        finding_id=f"{BEHIND}-{oldest_at:%Y%m%dT%H%M%S.%f}",
        rule=BEHIND,
        severity="medium",
        title=f"Detections are {(now - oldest_at).total_seconds():.0f} s behind the audit log",
        cause="messages come faster than they are judged; all of them are in the log, and will be",
        mend="tresor detections list",
        runbook=f"docs/runbooks/{BEHIND}.md",
        raised_at=now,
    )


def refused(reason: str, now: datetime) -> Finding:
    """The site's rules as they lie there are not in force."""
    return Finding(
        finding_id=f"{REFUSED}-{now:%Y%m%dT%H%M%S.%f}",
        rule=REFUSED,
        severity="medium",
        title="The site's detection rules were refused; those that were in force before go on",
        cause=said(reason),
        mend="tresor detections test FILE",
        runbook=f"docs/runbooks/{REFUSED}.md",
        raised_at=now,
    )
