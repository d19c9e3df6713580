"""Hygiene: rules and groups that say nothing, too much, or the same again. What is found is `hygiene.inspection`'s."""

from collections.abc import Callable, Iterator

from network_policy.domain.audit.finding import Found, Severity, register
from network_policy.domain.audit.inventory import Part
from network_policy.domain.audit.subject import Subject
from network_policy.domain.hygiene.inspection import GroupHygiene, Remark, RemarkKind

Remarks = tuple[Remark, ...]
Mend = Callable[[GroupHygiene, Remarks], tuple[str, ...]]
MAX_WORDS = 5


def delete_rules(_: GroupHygiene, remarks: Remarks) -> tuple[str, ...]:
    """Each rule that could go."""
    ids = dict.fromkeys(rule_id for remark in remarks for rule_id in remark.rule_ids)
    return tuple(f"openstack security group rule delete {rule_id}" for rule_id in ids)


def delete_group(looked: GroupHygiene, _: Remarks) -> tuple[str, ...]:
    """The group."""
    return (f"openstack security group delete {looked.group.id}",)


def show_minimal(looked: GroupHygiene, _: Remarks) -> tuple[str, ...]:
    """The commands are proven as a whole where they are printed: of rules that cover each other not all may go."""
    return (
        f"openstack security group show -f json {looked.group.id} > group.json && tresor policy minimise group.json",
    )


def of_hygiene(
    name: RemarkKind,
    severity: Severity,
    title: str,
    *,
    rows: str,
    why: str,
    runbook: tuple[str, ...],
    mend: Mend,
    severity_of: Callable[[GroupHygiene, Remarks], Severity | None] = lambda looked, remarks: None,
    needs: frozenset[Part] = frozenset({Part.GROUPS, Part.PORTS}),
) -> None:
    """Enter a kind of remark as a kind of finding: one for each group."""

    def look(subject: Subject) -> Iterator[Found]:
        for looked in subject.hygiene:
            remarks = tuple(remark for remark in looked.remarks if remark.kind == name)
            if not remarks:
                continue
            said = [
                f"rule {', '.join(each.rule_ids)}: {each.words}" if len(each.rule_ids) == 1 else each.words
                for each in remarks
            ]
            more = f"; and {len(said) - MAX_WORDS} more" if len(said) > MAX_WORDS else ""
            yield Found(
                looked.group.id,
                subject.where(looked.group.project_id, "group", looked.group.name, looked.group.id),
                "; ".join(said[:MAX_WORDS]) + more,
                mend(looked, remarks),
                severity_of(looked, remarks),
                also=tuple(dict.fromkeys(rule_id for each in remarks for rule_id in each.rule_ids)),
            )

    register.kind(name, severity, title, rows=rows, why=why, runbook=runbook, needs=needs)(look)


of_hygiene(
    "rule-unclear",
    Severity.HIGH,
    "A rule can't be taken at its word",
    rows="CVE-2019-9735 CVE-2019-10876 CVE-2014-0187 L12",
    why="A bad prefix, ports on a protocol without ports or a protocol that is unknown: Neutron refuses such rules today. "
    "One that is in the database from before may stop a host's agent from filtering anything, for every project there.",
    runbook=(
        "Find out what was meant, make that rule, and delete this one.",
        "Then restart nothing: agents take it over by themselves.",
    ),
    mend=delete_rules,
)
of_hygiene(
    "rule-over-broad",
    Severity.LOW,
    "A rule permits more than anybody asks for",
    rows="L4 L5 L12",
    why="Every protocol, every port, every address, or more than one of the site's places: what is not needed is what an "
    "intruder uses.",
    runbook=(
        "Ask what the service needs, and make rules for that.",
        "Delete the broad rule when nothing is missing (flow logs, or a day's patience).",
    ),
    mend=delete_rules,
    severity_of=lambda looked, remarks: (
        None
        if looked.port_count and not all(each.words.startswith("egress") for each in remarks)
        else Severity.INFORMATIONAL
    ),
)
of_hygiene(
    "group-of-no-project",
    Severity.MEDIUM,
    "A group belongs to no project",
    rows="CVE-2022-3277 CVE-2023-3637",
    why="Listing the groups of a project that does not exist made a group for it, without any quota: a user could fill "
    "Neutron's database. Groups of deleted projects stay behind as well.",
    runbook=(
        "Is the project gone, or in a domain that the account can't see? `openstack project show` tells.",
        "Delete the groups. Many of them: look in Neutron's log for who listed them, and bring Neutron up to date.",
    ),
    mend=delete_group,
    needs=frozenset({Part.GROUPS, Part.PROJECTS}),
)
of_hygiene(
    "rule-repeated",
    Severity.LOW,
    "A rule says the same as another of its group",
    rows="L12 M9",
    why="Neutron refuses the plain repeat, but not host bits in a prefix, ports 1 to 65535 beside no ports, or ICMP under "
    "its two names. Who deletes one of them believes that the packet is refused.",
    runbook=("Delete the repeat; nothing changes for any packet.",),
    mend=delete_rules,
)
of_hygiene(
    "rule-shadowed",
    Severity.LOW,
    "Others of the group already permit all that a rule permits",
    rows="L12 M9",
    why="The rule looks as if it mattered. Deleting it closes nothing, and deleting the wider one opens nothing less.",
    runbook=(
        "Is the wider rule meant? Then this one can go: no packet changes.",
        "Is the narrow one meant? Then the wide one is the mistake.",
        "Where several shadow each other, take the set of `tresor policy minimise`, which is proven as a whole.",
    ),
    mend=show_minimal,
)
of_hygiene(
    "group-not-least",
    Severity.LOW,
    "A group could say the same with fewer rules",
    rows="L12 M9",
    why="Each rule costs time on every host, and attention of everybody who reads it. The smaller set permits exactly the "
    "same packets, and the proof of that is printed with it.",
    runbook=(
        "`tresor policy minimise` prints the smaller set, its proof and the commands; it changes nothing itself.",
    ),
    mend=show_minimal,
)
of_hygiene(
    "rule-without-members",
    Severity.INFORMATIONAL,
    "A rule names a group that nobody is in",
    rows="L12",
    why="The rule permits nothing today, and opens by itself as soon as any port joins the group that it names.",
    runbook=("Delete it, unless the group is waiting for its first member.",),
    mend=delete_rules,
)
of_hygiene(
    "rule-ipv6-leftover",
    Severity.INFORMATIONAL,
    "IPv6 rules where no port has IPv6",
    rows="CVE-2021-20267 L12",
    why="Nothing is sent over them today. The day somebody adds an IPv6 subnet they apply, and nobody thinks of them.",
    runbook=("Delete them; make them anew when the network gets IPv6.",),
    mend=delete_rules,
)
of_hygiene(
    "group-unused",
    Severity.INFORMATIONAL,
    "No port is in a group",
    rows="L12",
    why="It is noise for everybody who looks for the group that matters, and a port may be put into it by mistake. "
    "The group of a role whose nodes are in Tresor's quarantine is not told: a release puts them back into it.",
    runbook=("Delete it, unless rules of other groups name it: then those go first.",),
    mend=delete_group,
)
