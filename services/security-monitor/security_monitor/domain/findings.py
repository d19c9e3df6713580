"""Which messages are findings, and which end one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.envelope import Envelope
from contracts.security_monitor import Finding, Severity
from security_monitor.domain import network
from security_monitor.domain.making import finding_of, key_of, said

WORLD = frozenset({"0.0.0.0/0", "::/0"})
POLICY_DRIFT = "policy-drift"
NOBODY_NAMED = "no notification names who did it: a scan found it"
ISOLATION_VIOLATED = "isolation-violated"
NOTIFICATIONS_DROPPED = "notifications-dropped"

_BYPASSES = frozenset(
    {"port-unprotected", "port-trusted", "port-address-pairs", "port-on-internal-network", "port-dhcp-options"}
)
_AUTHORITY = frozenset(
    {"bad-signature", "unknown-key", "revoked-key", "replayed", "wrong-role", "wrong-workspace", "wrong-user"}
)


@dataclass(frozen=True)
class Resolution:
    """Ends open findings of these rules in a workspace; `site` is no workspace's."""

    rules: tuple[str, ...]
    workspace: str
    at: datetime
    key: str = ""
    """Only those about this; empty: all of them."""


def from_message(envelope: Envelope) -> Finding | Resolution | None:
    """What an event of Tresor's own means to a security officer; None for nothing."""
    kind = envelope.type
    if kind.startswith("security-monitor.finding."):
        return None
    workspace = str(envelope.data.get("workspace") or envelope.subject)
    if kind == "network-policy.drift.repaired":
        return Resolution((POLICY_DRIFT,), workspace, envelope.time)
    if kind == "network-policy.isolation.proven":
        return Resolution((ISOLATION_VIOLATED, POLICY_DRIFT), workspace, envelope.time)
    if kind == "provisioner.workspace.deleted":
        ended = (POLICY_DRIFT, ISOLATION_VIOLATED, network.QUARANTINED, network.POLICY_TEST_FAILED)
        return Resolution(ended, workspace, envelope.time)
    if kind == "network-policy.workspace.released":
        return Resolution((network.QUARANTINED,), workspace, envelope.time, key_of(envelope.data.get("quarantine_id")))
    if kind == "network-policy.duplicate.resolved":
        mac = key_of(envelope.data.get("mac_address"))
        return Resolution((network.DUPLICATE_PORTS, network.MAC_FLAP), workspace, envelope.time, mac)
    if kind == "network-policy.policy-test.passed":
        test = network.key_of_test(envelope.data.get("test"))
        return Resolution((network.POLICY_TEST_FAILED,), workspace, envelope.time, test)
    if kind == "network-policy.policy.withdrawn":
        return Resolution((network.WITHDRAWAL_HELD,), workspace, envelope.time)
    if kind.endswith(".notifications.recovered"):
        return Resolution((NOTIFICATIONS_DROPPED,), workspace, envelope.time, key_of(_service_of(envelope)))
    made = _MADE.get(kind) or next((make for suffix, make in _MADE_BY_SUFFIX if kind.endswith(suffix)), None)
    return made(envelope, workspace) if made else None


def _drift_line(drift: dict[str, Any]) -> str:
    rule = drift.get("rule") or {}
    words = [str(drift.get("change", "changed"))]
    if drift.get("role"):
        words.append(f"on role {drift['role']}")
    if rule:
        first, last = rule.get("port_range_min"), rule.get("port_range_max")
        ports = "" if first is None else f"/{first}" if first == last else f"/{first}-{last}"
        remote = (
            rule.get("remote_ip_prefix") or rule.get("remote_group_id") or rule.get("remote_address_group_id") or "any"
        )
        words.append(f"{rule.get('direction')} {rule.get('protocol') or 'any protocol'}{ports} remote {remote}")
    if drift.get("port_id"):
        words.append(f"port {drift['port_id']}")
    return " ".join(words)


def _opens_to_world(drift: dict[str, Any]) -> bool:
    rule = drift.get("rule") or {}
    no_peer = not (rule.get("remote_group_id") or rule.get("remote_address_group_id"))
    return (
        drift.get("change") == "rule-added"
        and rule.get("direction") == "ingress"
        and no_peer
        and rule.get("remote_ip_prefix") in (*WORLD, None)
    )


def _drifted(envelope: Envelope, workspace: str) -> Finding:
    drifts = [drift for drift in envelope.data.get("drift", ()) if isinstance(drift, dict)]
    is_open = any(map(_opens_to_world, drifts))
    grave = is_open or any(drift.get("change") in _BYPASSES for drift in drifts)
    what = "was opened to the world" if is_open else "was changed"
    by = "" if envelope.data.get("actor") else ", and nobody can be named for it"
    return finding_of(
        envelope,
        workspace,
        rule=POLICY_DRIFT,
        severity="critical" if grave else "high",
        title=f"The network policy of {workspace} {what} behind Tresor's back{by}",
        cause="; ".join([*map(_drift_line, drifts[:10]), *([NOBODY_NAMED] if by else [])]),
        actor=said(envelope.data.get("actor") or "")[:255],
        request_id=said(envelope.data.get("request_id") or "")[:64],
        mend=f"tresor isolation {workspace}",
    )


def _violated(envelope: Envelope, workspace: str) -> Finding:
    first = (envelope.data.get("counterexamples") or [{}])[0]
    return finding_of(
        envelope,
        workspace,
        rule=ISOLATION_VIOLATED,
        severity="critical",
        title=f"A packet that nobody declared is possible in {workspace}",
        cause=f"{first.get('source')} to {first.get('destination')}: {first.get('why')}",
        mend=f"tresor isolation {workspace}",
    )


def _rejected(envelope: Envelope, workspace: str) -> Finding:
    reasons = "; ".join(str(problem.get("reason")) for problem in envelope.data.get("problems", ())[:5])
    verb = "failed" if envelope.type.endswith(".failed") else "was rejected"
    command_id = str(envelope.data.get("command_id") or "")  # its end is told again when it comes again
    if str(envelope.data.get("command_type")).endswith(".command.approve"):
        return finding_of(
            envelope,
            workspace,
            rule="approval-refused",
            severity="high",
            title=f"An approval by {envelope.data.get('holder')} in {workspace} was refused",
            cause=reasons or "no reason was given",
            actor=said(envelope.data.get("holder") or "")[:255],
            mend="tresor approvals",
            is_occurrence=True,
            once_for=command_id,
        )
    return finding_of(
        envelope,
        workspace,
        rule=f"command-{verb.rsplit(' ', maxsplit=1)[-1]}",
        severity="low",
        title=f"{envelope.data.get('command_type')} of {envelope.data.get('holder')} {verb}",
        cause=reasons or "no reason was given",
        actor=said(envelope.data.get("holder") or "")[:255],
        is_occurrence=True,
        once_for=command_id,
    )


def _refused(envelope: Envelope, workspace: str) -> Finding:
    reason = str(envelope.data.get("reason"))
    severity: Severity = "high" if reason in _AUTHORITY else "low" if reason == "bad-notification" else "medium"
    who = envelope.data.get("broker_user") or envelope.data.get("kid") or ""
    return finding_of(
        envelope,
        workspace,
        rule="input-refused",
        severity=severity,
        title=f"{_service_of(envelope)} refused an input: {reason}",
        cause=envelope.data.get("detail") or reason,
        actor=said(who)[:255],
        mend="tresor parked --refused",
        is_occurrence=True,
    )


def _parked(envelope: Envelope, workspace: str) -> Finding:
    service = _service_of(envelope)
    return finding_of(
        envelope,
        workspace,
        rule="message-parked",
        severity="medium",
        title=f"{service} set a message aside: {envelope.data.get('message_type')}",
        cause=f"after {envelope.data.get('attempts')} attempts: {envelope.data.get('error')}",
        mend=f"tresor parked show {service} {said(envelope.data.get('message_id'))}",
    )


def _unheard(envelope: Envelope, workspace: str) -> Finding:
    service, since = _service_of(envelope), str(envelope.data.get("since"))
    instead = (
        "it scans for what they told at once"
        if envelope.data.get("scans")
        else "what only notifications tell is lost: the audit log has a gap there"
    )
    return finding_of(
        envelope,
        workspace,
        rule=NOTIFICATIONS_DROPPED,
        severity="medium" if envelope.data.get("scans") else "high",
        title=f"OpenStack's notifications come faster than {service} reads them, and the oldest are dropped",
        cause=f"queue {envelope.data.get('queue')} was full: {envelope.data.get('messages')} or more went unread; {instead}",
        mend="tresor doctor",
        key=service,
        once_for=since,
    )


def _left(envelope: Envelope, workspace: str) -> Finding:
    data = envelope.data
    return finding_of(
        envelope,
        workspace,
        rule="surplus-left",
        severity="low",
        title=f"A second {data.get('kind')} '{data.get('name')}' of {workspace} is left for a person to look at",
        cause=f"{data.get('resource_id')} came of a call that was made again meanwhile; {data.get('reason')}",
        mend=f"openstack {data.get('kind')} show {data.get('resource_id')}",
        is_occurrence=True,
        once_for=str(data.get("resource_id")),
    )


def _service_of(envelope: Envelope) -> str:
    return envelope.source.removeprefix("tresor/")


Maker = Callable[[Envelope, str], Finding]
_MADE: dict[str, Maker] = {
    "network-policy.drift.detected": _drifted,
    "network-policy.isolation.violated": _violated,
    "network-policy.workspace.quarantined": network.quarantined,
    "network-policy.duplicate.found": network.duplicate,
    "network-policy.policy-test.failed": network.policy_test,
    "network-policy.withdrawal.held": network.withdrawal_held,
    "storage.surplus.left": _left,
}
_MADE_BY_SUFFIX: tuple[tuple[str, Maker], ...] = (
    (".command.rejected", _rejected),
    (".command.failed", _rejected),
    (".input.refused", _refused),
    (".message.parked", _parked),
    (".notifications.dropped", _unheard),
)
