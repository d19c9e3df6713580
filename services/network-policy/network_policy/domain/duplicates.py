"""Ports that say the same MAC address, and which of them serves nobody (rows L7, L8).

Neutron keeps a MAC address unique within a network, so duplicates are in several networks, or a port may send from an
address that is another's on the same network (an address pair). Chosen as spurious is only what is plainly nobody's
while another port with the address is somebody's: two ports without a device may both be waiting for theirs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.network_policy import Duplicate, DuplicatePort, SpuriousPort
from contracts.network_policy.ports import MAX_PORTS_TOLD
from network_policy.domain.world import Port


@dataclass(frozen=True)
class Looked:
    """What a look at those that say one MAC address found, and the revisions that the ports had before it."""

    revisions: tuple[tuple[str, int], ...]
    found: Duplicate | None
    at: datetime

    @property
    def evidence(self) -> str | None:
        return self.found.evidence if self.found is not None else None


def unchanged(
    revisions: Mapping[str, tuple[tuple[str, int], ...]], looked: Mapping[str, Looked], refreshed: int
) -> frozenset[str]:
    """The MAC addresses that need no look, as no port of theirs has changed since the last one.

    But whether a port's device is there may change without the port: so many of them, those with the oldest looks, are
    looked at again.
    """
    same = [mac for mac, seen in revisions.items() if mac in looked and looked[mac].revisions == seen]
    oldest = sorted(same, key=lambda mac: (looked[mac].at, mac))[:refreshed]
    return frozenset(same) - frozenset(oldest)


def same_macs(ports: Iterable[Port]) -> dict[str, dict[str, str]]:
    """By MAC address, the ports that say it (`own` or `address-pair`), where that is more than one."""
    ports = tuple(ports)
    found: dict[str, dict[str, str]] = {}
    owners: dict[tuple[str, str], str] = {}
    for port in ports:
        if port.mac_address:
            mac = port.mac_address.lower()
            found.setdefault(mac, {})[port.id] = "own"
            owners[port.network_id, mac] = port.id
    for port in ports:
        for pair in port.address_pairs:
            mac = pair.mac_address.lower()
            owner = owners.get((port.network_id, mac))
            if owner is not None and owner != port.id:
                found[mac].setdefault(port.id, "address-pair")
    return {mac: sayers for mac, sayers in sorted(found.items()) if len(sayers) > 1}


def duplicate(mac_address: str, ports: Iterable[DuplicatePort]) -> Duplicate | None:
    """What the ports that say it come to; None when it is not more than one."""
    told = sorted(ports, key=lambda each: each.port_id)
    if len(told) < 2:
        return None
    hosts = sorted({each.host for each in told if each.says == "own" and each.is_bound and each.host})
    return Duplicate(
        mac_address=mac_address,
        kind="flapping" if len(hosts) > 1 else "duplicate",
        hosts=tuple(hosts),
        ports=tuple(told[:MAX_PORTS_TOLD]),
        spurious=tuple(_spurious(told))[:MAX_PORTS_TOLD],
        evidence=_digest(mac_address, told),
    )


def _is_somebodys(each: DuplicatePort) -> bool:
    return each.is_bound or each.status == "ACTIVE" or each.has_device is not False


def _spurious(told: list[DuplicatePort]) -> Iterable[SpuriousPort]:
    living = [each for each in told if each.says == "own" and (each.is_bound or each.has_device is True)]
    if not living:
        return
    for each in told:
        if each.says == "own" and not _is_somebodys(each):
            reasons = ["bound to no host", f"its status is {each.status or 'unknown'}"]
            reasons.append(f"no server {each.device_id} is there" if each.device_id else "it is of no device")
            if each.created_at and all(each.created_at > other.created_at for other in living):
                reasons.append(f"younger than the others: made {each.created_at}")
            yield SpuriousPort(port_id=each.port_id, reasons=tuple(reasons))


def _digest(mac_address: str, told: list[DuplicatePort]) -> str:
    seen: Mapping[str, object] = {
        "mac_address": mac_address,
        "ports": [each.model_dump(mode="json", exclude={"name", "workspace"}) for each in told],
    }
    text = json.dumps(seen, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
