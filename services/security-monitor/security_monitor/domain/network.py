"""What network-policy tells beside drift: quarantines, ports that say the same MAC address, policy tests that fail."""

import hashlib

from contracts.envelope import Envelope
from contracts.security_monitor import Finding
from security_monitor.domain.making import finding_of, said

QUARANTINED = "workspace-quarantined"
DUPLICATE_PORTS = "duplicate-ports"
MAC_FLAP = "mac-flap"
POLICY_TEST_FAILED = "policy-test-failed"
WITHDRAWAL_HELD = "withdrawal-held"


def quarantined(envelope: Envelope, workspace: str) -> Finding:
    role, node = envelope.data.get("role"), envelope.data.get("node")
    what = f"role {role} of {workspace}" if role else f"node {node} of {workspace}" if node else workspace
    return finding_of(
        envelope,
        workspace,
        rule=QUARANTINED,
        severity="high",
        title=f"{what} is quarantined: {envelope.data.get('ports')} ports, nothing in, nothing out",
        cause=envelope.data.get("reason") or "no reason was given",
        actor=said(envelope.data.get("holder") or "")[:255],
        mend=f"tresor release {workspace}",
        key=str(envelope.data.get("quarantine_id") or ""),
    )


def duplicate(envelope: Envelope, workspace: str) -> Finding:
    found = envelope.data.get("duplicate") or {}
    mac, ports = str(found.get("mac_address")), found.get("ports") or ()
    spurious = [one for one in found.get("spurious") or () if isinstance(one, dict)]
    flaps = found.get("kind") == "flapping"
    rule = MAC_FLAP if flaps else DUPLICATE_PORTS
    where = f" on {', '.join(map(str, found.get('hosts') or ()))}" if flaps else ""
    reasons = "; ".join(
        f"port {one.get('port_id')} is spurious: {', '.join(map(str, one.get('reasons') or ()))}"
        for one in spurious[:5]
    )
    return finding_of(
        envelope,
        workspace,
        rule=rule,
        severity="high" if flaps else "medium",
        title=f"{len(ports)} ports say {mac}{where}",
        cause=reasons or "none of them is plainly spurious: a person has to choose",
        mend=f"tresor ports remove {spurious[0].get('port_id')}" if spurious else "tresor ports duplicates",
        key=mac,
    )


def withdrawal_held(envelope: Envelope, workspace: str) -> Finding:
    holders = [one for one in envelope.data.get("holders") or () if isinstance(one, dict)]
    first = holders[0] if holders else {}
    words = "; ".join(
        f"port {one.get('port_id')} of project {one.get('project_id') or '?'}"
        f" ({one.get('device_owner') or 'no device'} {one.get('device_id') or ''}) in group {one.get('group_id')}"
        for one in holders[:5]
    )
    count = len(holders) + int(envelope.data.get("more") or 0)
    return finding_of(
        envelope,
        workspace,
        rule=WITHDRAWAL_HELD,
        severity="medium",
        title=f"{workspace} can't be deleted: {'a port is' if count == 1 else f'{count} ports are'} in its security groups",
        cause=words,
        mend=f"openstack port unset --security-group {first.get('group_id')} {first.get('port_id')}",
    )


def policy_test(envelope: Envelope, workspace: str) -> Finding:
    name = str(envelope.data.get("test"))
    return finding_of(
        envelope,
        workspace,
        rule=POLICY_TEST_FAILED,
        severity="high",
        title=f"Policy test '{name}' of {workspace} failed",
        cause=envelope.data.get("reason") or "no reason was given",
        mend=f"tresor policy kept {workspace}",
        key=key_of_test(name),
    )


def key_of_test(name: object) -> str:
    """What a policy test's finding is known by: its name may be any words, an id may not."""
    return hashlib.sha256(str(name).encode()).hexdigest()[:16]
