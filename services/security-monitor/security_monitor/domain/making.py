"""Words from outside, and findings made of events."""

from contracts.envelope import Envelope
from contracts.security_monitor import Finding, Severity

_TEXT_LENGTH = 2000


def said(text: object) -> str:
    """Words from outside as a finding may carry them: one line, no control or bidirectional characters."""
    kept = (
        character if character.isprintable() and not "\u202a" <= character <= "\u2069" else " "
        for character in str(text)[:_TEXT_LENGTH]
    )
    return "".join(kept)


def key_of(text: object) -> str:
    """What a finding is about, as a part of its id."""
    return said(text or "").replace(":", "-").replace(" ", "-")


def finding_of(
    envelope: Envelope,
    workspace: str,
    *,
    rule: str,
    severity: Severity,
    title: str,
    cause: object,
    is_occurrence: bool = False,
    key: str = "",
    once_for: str = "",
    **more: str,
) -> Finding:
    """A finding made of an event. An occurrence is over when it is told; anything else stays open until resolved.

    `key`: what the finding is about, where the workspace does not say it. `once_for`: what events tell of again in the
    same words, so that however many there are they are one finding; empty: each event is one.
    """
    return Finding(
        finding_id="-".join(part for part in (rule, key_of(key), key_of(once_for) or envelope.id) if part),
        rule=rule,
        severity=severity,
        title=said(title),
        cause=said(cause),
        workspace=None if workspace == "site" else workspace,
        raised_at=envelope.time,
        resolved_at=envelope.time if is_occurrence else None,
        state="resolved" if is_occurrence else "open",
        runbook=f"docs/runbooks/{rule}.md",
        **more,
    )
