"""What a quarantine keeps: fetched in parts, held against its digest, shown for a person or given out byte for byte."""

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from operator_cli.exits import Exit, Stop
from operator_cli.printing import Form, console, emit, table

if TYPE_CHECKING:
    from contracts.network_policy import Quarantine


def show_evidence(held: "Quarantine", output: Form) -> None:
    """The evidence of a quarantine. Raises Stop when there is none, or it is not what was kept."""
    text = _read(held)
    if not text:
        raise Stop(Exit.NEGATIVE, f"quarantine {held.quarantine_id} has kept nothing yet", "ask again in a moment")
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    if digest != held.evidence:
        raise Stop(
            Exit.NEGATIVE,
            f"the evidence of quarantine {held.quarantine_id} is not what was kept: {digest} is not {held.evidence}",
            "network-policy.evidence.kept in the audit log has it too; find out who changed the database",
        )
    kept = json.loads(text)
    if output is not Form.TABLE:
        emit(output, {"quarantine": held.model_dump(mode="json"), "evidence": kept})
        return
    _show(held, kept)


def _read(held: "Quarantine") -> str:
    from contracts.network_policy import EvidenceShown, ShowEvidence
    from operator_cli.session import opened, run

    async def asking() -> str:
        pieces: list[str] = []
        async with opened() as session:
            while True:
                query = ShowEvidence(of=held.workspace, quarantine_id=held.quarantine_id, part=len(pieces) + 1)
                answer = await session.ask(query, EvidenceShown)
                pieces.append(answer.content)
                if len(pieces) >= answer.parts:
                    return "".join(pieces)

    return run(asking())


def _show(held: "Quarantine", kept: dict[str, Any]) -> None:
    out = console()
    what = f"role {held.role}" if held.role else f"node {held.node}" if held.node else "all"
    out.print(f"{held.workspace}, {what}: {held.state}, ordered by {held.holder}: {held.reason}", markup=False)
    kept_at = datetime.fromisoformat(kept["kept_at"])
    out.print(f"kept at {kept_at:%Y-%m-%d %H:%M:%S} UTC, digest {held.evidence}", markup=False)
    if kept["left_out"]:
        out.print(f"left out, as it was too large: {', '.join(kept['left_out'])}", markup=False)
    names = {group["id"]: group.get("name", "") for group in kept["groups"]}
    table(
        ("port", "device", "MAC", "addresses", "groups", "host"),
        [
            (
                port["id"],
                port.get("device_id", ""),
                port.get("mac_address", ""),
                _joined(each.get("ip_address") for each in port.get("fixed_ips") or ()),
                _joined(names.get(one, one) for one in port.get("security_groups") or ()),
                port.get("binding:host_id", ""),
            )
            for port in kept["ports"]
        ],
        title="ports",
        empty="No ports.",
    )
    table(
        ("group", "direction", "family", "protocol", "ports", "remote", "rule"),
        [
            (
                group.get("name", group["id"]),
                rule.get("direction", ""),
                rule.get("ethertype", ""),
                rule.get("protocol") or "any",
                _range(rule.get("port_range_min"), rule.get("port_range_max")),
                rule.get("remote_ip_prefix")
                or names.get(rule.get("remote_group_id"), rule.get("remote_group_id"))
                or "any",
                rule["id"],
            )
            for group in kept["groups"]
            for rule in group.get("security_group_rules") or ()
        ],
        title="rules",
        empty="No rules.",
    )
    table(
        ("floating IP", "fixed address", "port"),
        [
            (each.get("floating_ip_address", ""), each.get("fixed_ip_address", ""), each.get("port_id", ""))
            for each in kept["floating_ips"]
        ],
        title="floating IPs",
        empty="No floating IPs.",
    )
    table(
        ("happened at", "event", "resource", "by", "request"),
        [
            tuple(
                str(one.get(name) or "") for name in ("happened_at", "event_type", "resource_id", "actor", "request_id")
            )
            for one in kept["changes"]
        ],
        title="last changes by others",
        empty="No changes by others.",
    )


def _joined(words: Any) -> str:
    return ", ".join(str(word) for word in words if word)


def _range(low: int | None, high: int | None) -> str:
    return "any" if low is None and high is None else str(low) if low == high else f"{low}-{high}"
