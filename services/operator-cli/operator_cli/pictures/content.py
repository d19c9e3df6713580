"""What a picture shows, out of network-policy's answer: workspaces with the ways between them, or one with its flows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.network_policy import Counterexample, IsolationShown, Whose, WorkspaceIsolation

OUTSIDE = "outside"
OTHERS = "other projects"
WITHOUT_ROLE = "no role"
"""Ports of the workspace that no node has."""
Verdict = Literal["isolated", "violated", "unknown"]

MARKS: dict[str, str] = {"isolated": "✓", "violated": "✕", "unknown": "?"}
"""A verdict is told by a mark and a word, never by its colour alone."""


@dataclass(frozen=True)
class Way:
    """Traffic that may pass from one end to another."""

    source: str
    target: str
    words: str
    declared: bool
    """False where network-policy tells of a packet that nobody declared; True is what the groups permit beside."""


@dataclass(frozen=True)
class Estate:
    """All workspaces with their verdicts, and the ways that lead out of each."""

    workspaces: tuple[WorkspaceIsolation, ...]
    ways: tuple[Way, ...]

    @property
    def notable(self) -> tuple[str, ...]:
        """Workspaces that have a way to or from another one, or whose isolation isn't proven."""
        crossing = {
            end
            for way in self.ways
            for end in (way.source, way.target)
            if not way.declared or OUTSIDE not in _ends(way)
        }
        return tuple(one.workspace for one in self.workspaces if one.verdict != "isolated" or one.workspace in crossing)

    def between(self, source: str, target: str) -> tuple[Way, ...]:
        """The ways from one to the other, the undeclared ones first."""
        found = (way for way in self.ways if (way.source, way.target) == (source, target))
        return tuple(sorted(found, key=lambda way: (way.declared, way.words)))


@dataclass(frozen=True)
class Enclave:
    """One workspace: its roles, what each may reach and hear, and what may not be but is."""

    isolation: WorkspaceIsolation
    roles: tuple[str, ...]
    ways: tuple[Way, ...]
    """Between roles (`role:…`) and the other ends."""
    inside: tuple[Way, ...]
    """From a role to itself."""
    shared: tuple[Way, ...]
    """What every role may reach alike: told once rather than drawn for each."""


def role_end(role: str) -> str:
    """How a role is called among a graph's nodes; far ends have no such prefix."""
    return f"role:{role}"


def estate(answer: IsolationShown) -> Estate:
    """Everything that the answer says of all workspaces."""
    ways: dict[tuple[str, str, bool], list[str]] = {}
    for one in answer.workspaces:
        if one.from_outside:
            ways.setdefault((OUTSIDE, one.workspace, True), []).append(one.from_outside)
        if one.to_outside:
            ways.setdefault((one.workspace, OUTSIDE, True), []).append(one.to_outside)
        for packet in one.counterexamples:
            source, target = _owners(packet)
            words = ways.setdefault((source, target, False), [])
            if (said := say_kind(packet)) not in words:
                words.append(said)
    return Estate(
        answer.workspaces,
        tuple(
            Way(source, target, ", ".join(words), declared)
            for (source, target, declared), words in sorted(ways.items())
        ),
    )


def enclave(one: WorkspaceIsolation, names: Mapping[str, str]) -> Enclave:
    """The workspace's graph; `names`: what to call prefixes."""
    found: dict[tuple[str, str, bool], list[str]] = {}
    roles: dict[str, None] = {}
    for reach in one.reach:
        ends = _end(reach.source, names), _end(reach.destination, names)
        words = found.setdefault((*ends, True), [])
        if (said := say_traffic(reach.protocol, reach.ports)) not in words:
            words.append(said)
        roles |= dict.fromkeys(end for end in ends if end.startswith("role:"))
    for packet in one.counterexamples:
        whose = packet.source_of, packet.destination_of
        source, target = (_violating(*end, one.workspace) for end in zip(_owners(packet), whose, strict=True))
        words = found.setdefault((source, target, False), [])
        if (said := say_kind(packet)) not in words:
            words.append(said)
        roles |= dict.fromkeys(end for end in (source, target) if end.startswith("role:"))
    ways = [Way(source, target, ", ".join(words), declared) for (source, target, declared), words in found.items()]
    shared = _shared(ways, tuple(roles), names)
    return Enclave(
        isolation=one,
        roles=tuple(sorted(each.removeprefix("role:") for each in roles)),
        ways=tuple(sorted((way for way in ways if way not in shared and way.source != way.target), key=_order)),
        inside=tuple(sorted((way for way in ways if way.source == way.target), key=_order)),
        shared=tuple(sorted({Way("", way.target, words, True) for way, words in shared.items()}, key=_order)),
    )


def _shared(ways: Sequence[Way], roles: Sequence[str], names: Mapping[str, str]) -> dict[Way, str]:
    """What nearly all roles may reach alike, with a word on those that may not; and what no node can do without."""
    needed = {name for name in names.values() if ":" not in name}
    found: dict[Way, str] = {}
    for target, words in {
        (way.target, way.words) for way in ways if way.declared and not way.target.startswith("role:")
    }:
        alike = [way for way in ways if way.declared and (way.target, way.words) == (target, words)]
        missing = sorted(set(roles) - {way.source for way in alike})
        if target in needed or (len(roles) > 1 and len(missing) <= len(roles) // 4):
            but = f" (not {', '.join(role.removeprefix('role:') for role in missing)})" if missing else ""
            found |= dict.fromkeys(alike, words + but)
    return found


def say_traffic(protocol: str, ports: str) -> str:
    """`tcp 22,443`, `icmp`, `anything`."""
    if protocol == "any":
        return "anything"
    return protocol if ports == "all" else f"{protocol} {ports}".strip()


def say_kind(packet: Counterexample) -> str:
    """`tcp 22`, as flows are told."""
    return f"{packet.protocol} {packet.port}" if packet.port is not None else packet.protocol


def _ends(way: Way) -> tuple[str, str]:
    return (way.source, way.target)


def _order(way: Way) -> tuple[str, str, bool]:
    return (way.source, way.target, way.declared)


def _owners(packet: Counterexample) -> tuple[str, str]:
    """The workspaces that its ends belong to, or what stands for everybody else."""
    return (
        packet.source_of.workspace if packet.source_of else _nobodys(packet.source),
        packet.destination_of.workspace if packet.destination_of else _nobodys(packet.destination),
    )


def _nobodys(title: str) -> str:
    return OUTSIDE if title == OUTSIDE else OTHERS


def _violating(owner: str, whose: Whose | None, workspace: str) -> str:
    if whose is None:
        return owner
    return role_end(whose.role or WITHOUT_ROLE) if owner == workspace else f"workspace {owner}"


def _end(end: str, names: Mapping[str, str]) -> str:
    if end.startswith("role "):
        return role_end(end.removeprefix("role "))
    return names.get(end, end)
