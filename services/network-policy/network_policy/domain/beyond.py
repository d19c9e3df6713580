"""What a workspace's ways in and out amount to, on one line: for an overview of many workspaces."""

from collections.abc import Iterable

from contracts.network_policy import RoleReach
from contracts.workspace import Workspace

MAX_WORDS = 200
_BY_ALL_NODES = ("169.254.169.254/32", "255.255.255.255/32", "fe80::a9fe:a9fe/128", "ff02::1:2/128")
"""Metadata and DHCP: every node needs them, and they lead nowhere."""


def from_outside(reach: Iterable[RoleReach], document: Workspace | None) -> str:
    """What may come in from beyond the workspace: `tcp 22,443; icmp`."""
    own = _own(document)
    return _words(each for each in reach if not each.source.startswith("role ") and each.source not in own)


def to_outside(reach: Iterable[RoleReach], document: Workspace | None) -> str:
    """What may go out beyond the workspace, DHCP on its own networks and metadata aside."""
    own = _own(document)
    return _words(each for each in reach if not each.destination.startswith("role ") and each.destination not in own)


def _own(document: Workspace | None) -> frozenset[str]:
    networks = document.networks if document is not None else ()
    return frozenset({*_BY_ALL_NODES, *(prefix for each in networks for prefix in (each.cidr, each.cidr6) if prefix)})


def _words(reach: Iterable[RoleReach]) -> str:
    ports: dict[str, dict[str, None]] = {}
    for each in reach:
        ports.setdefault(each.protocol, {}).update(dict.fromkeys(each.ports.split(",")))
    if "any" in ports:
        return "anything"
    said = []
    for protocol in sorted(ports):
        numbers = sorted(
            ports[protocol], key=lambda text: (int(text.split("-")[0]) if text[:1].isdigit() else -1, text)
        )
        said.append(protocol if "all" in numbers else f"{protocol} {','.join(numbers)}")
    words = "; ".join(said)
    return words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS - 1]}…"
