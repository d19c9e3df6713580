"""The audit: every kind of finding asked, and what could not be judged told beside what was found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from network_policy.domain.audit.finding import NOT_IN_THE_API, Finding, Found, Kind, Severity
from network_policy.domain.audit.inventory import WORLD, Inventory, plain
from network_policy.domain.audit.kinds import KINDS
from network_policy.domain.audit.matrix import Matrix
from network_policy.domain.audit.subject import Expected, Subject
from network_policy.domain.certificate import ASSUMPTIONS, digest_of


@dataclass(frozen=True, slots=True)
class NotJudged:
    """Something that is neither good nor bad here, since it could not be seen."""

    what: str
    why: str
    by_nature: bool = False
    """No account could see it: no API tells it."""


@dataclass(frozen=True)
class Report:
    """What an audit says."""

    inventory: Inventory
    findings: tuple[Finding, ...]
    not_judged: tuple[NotJudged, ...]
    matrix: Matrix | None
    """None where what reachability rests on could not be read."""
    digest: str
    """SHA-256 over the world that was looked at."""

    @property
    def critical(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.severity is Severity.CRITICAL)

    @property
    def unread(self) -> tuple[NotJudged, ...]:
        """What another account, or a service that is up, would have shown."""
        return tuple(each for each in self.not_judged if not each.by_nature)

    @property
    def counts(self) -> dict[str, int]:
        """Findings by severity, worst first."""
        return {
            severity.word: sum(each.severity is severity for each in self.findings)
            for severity in sorted(Severity, reverse=True)
        }

    def as_document(self) -> dict[str, object]:
        """For JSON and YAML."""
        world = self.inventory.world
        return {
            "looked_at": {
                "account": plain(self.inventory.account),
                "all_projects": self.inventory.is_whole,
                "projects": len(self.inventory.project_names),
                "ports": len(world.ports),
                "groups": len(world.groups),
                "rules": sum(len(group.rules) for group in world.groups),
                "networks": len(world.networks),
                "servers": len(self.inventory.servers),
                "digest": self.digest,
            },
            "counts": self.counts,
            "findings": [each.as_document() for each in self.findings],
            "not_judged": [
                {"what": each.what, "why": each.why, "by_nature": each.by_nature} for each in self.not_judged
            ],
            "matrix": None if self.matrix is None else self.matrix.as_document(self.inventory),
            "assumptions": list(ASSUMPTIONS),
        }


def audit(
    inventory: Inventory,
    expected: Expected,
    *,
    kinds: Iterable[Kind] = KINDS,
    progress: Callable[[str], None] = lambda words: None,
) -> Report:
    """Every kind of finding whose lists were read; the others are told as not judged."""
    subject = Subject(inventory, expected)
    findings: list[Finding] = []
    not_judged: list[NotJudged] = []
    for kind in kinds:
        missing = sorted(part for part in kind.needs if part in inventory.unread)
        if missing:
            why = "; ".join(f"{part.value}: {inventory.unread[part]}" for part in missing)
            not_judged.append(NotJudged(f"{kind.name}: {kind.title}", plain(why)))
            continue
        progress(kind.title)
        findings += [Finding(kind, _plain(found)) for found in kind.look(subject)]
    if not inventory.is_whole:
        why = f"the account ({plain(inventory.account)}) sees only what is its project's or shared with it"
        not_judged.insert(0, NotJudged("other projects", why))
    unread_world = sorted(part for part in WORLD if part in inventory.unread)
    if unread_world:
        why = f"not read: {', '.join(part.value for part in unread_world)}"
        not_judged.append(NotJudged("the matrix of projects", why))
    not_judged += [NotJudged(what, why, by_nature=True) for what, why in NOT_IN_THE_API.items()]
    findings.sort(key=lambda each: (-each.severity, each.kind.name, each.found.where, each.found.resource_id))
    return Report(
        inventory,
        tuple(findings),
        tuple(not_judged),
        None if unread_world else subject.matrix,
        digest_of(inventory.world, ()),
    )


def _plain(found: Found) -> Found:
    return replace(
        found,
        resource_id=plain(found.resource_id),
        where=plain(found.where),
        what=plain(found.what),
        mend=tuple(plain(command) for command in found.mend),
        also=tuple(plain(each) for each in found.also),
    )
