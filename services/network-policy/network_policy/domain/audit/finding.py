"""What a finding is, and the register of every kind there is."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from network_policy.domain.audit.inventory import Part
from network_policy.domain.audit.subject import Subject


class Severity(IntEnum):
    """OCSF's severity_id."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Found:
    """What a kind's function yields; `severity` only where it differs from the kind's."""

    resource_id: str
    where: str
    """Project and name, for people."""
    what: str
    mend: tuple[str, ...] = ()
    severity: Severity | None = None
    also: tuple[str, ...] = ()
    """Ids of what else is concerned: ports, rules."""


@dataclass(frozen=True)
class Kind:
    """A kind of finding: what it means, what to look at, what mends it."""

    name: str
    severity: Severity
    title: str
    rows: tuple[str, ...]
    """Rows of the requirements and CVEs."""
    why: str
    runbook: tuple[str, ...]
    """Steps, in order."""
    needs: frozenset[Part]
    look: Callable[[Subject], Iterator[Found]]

    @property
    def runbook_page(self) -> str:
        """Where the steps are written out."""
        return f"docs/runbooks/audit.md#{self.name}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should know."""

    kind: Kind
    found: Found

    @property
    def severity(self) -> Severity:
        return self.found.severity or self.kind.severity

    def as_document(self) -> dict[str, object]:
        """For JSON and YAML."""
        return {
            "kind": self.kind.name,
            "severity": self.severity.word,
            "severity_id": int(self.severity),
            "title": self.kind.title,
            "rows": list(self.kind.rows),
            "resource_id": self.found.resource_id,
            "where": self.found.where,
            "what": self.found.what,
            "why": self.kind.why,
            "also": list(self.found.also),
            "mend": list(self.found.mend),
            "runbook": self.kind.runbook_page,
        }


@dataclass
class Register:
    """All kinds, in the order in which they were entered."""

    kinds: dict[str, Kind] = field(default_factory=dict)

    def kind(
        self,
        name: str,
        severity: Severity,
        title: str,
        *,
        rows: str,
        why: str,
        runbook: tuple[str, ...],
        needs: frozenset[Part] | set[Part],
    ) -> Callable[[Callable[[Subject], Iterator[Found]]], Callable[[Subject], Iterator[Found]]]:
        """Enter the function as the kind of that name."""

        def enter(look: Callable[[Subject], Iterator[Found]]) -> Callable[[Subject], Iterator[Found]]:
            if name in self.kinds:
                raise ValueError(f"there is a kind '{name}' already")
            self.kinds[name] = Kind(name, severity, title, tuple(rows.split()), why, runbook, frozenset(needs), look)
            return look

        return enter


register = Register()

NOT_IN_THE_API: Mapping[str, str] = {
    "live migration without isolate_vif (LP 1734320)": "os-vif's setting is in each compute host's files; look for "
    "`isolate_vif` there before a VM of an enclave is moved",
    "Nova's disk backend and patch level (CVE-2026-24708, CVE-2023-2088)": "no API tells them; look at "
    "`use_cow_images`, `images_type` and the packages of each compute host",
    "established flows": "a connection that was open before a rule went may live on; no API lists them",
    "what the hosts really enforce": "Neutron tells what should be; a host's own tables were not looked at",
}
"""What no API shows, so that no audit of this kind can call it good."""
