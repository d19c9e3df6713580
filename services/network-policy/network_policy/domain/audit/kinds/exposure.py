"""What the whole world may send."""

from collections.abc import Iterator, Sequence

from network_policy.domain.audit.finding import Found, Severity, register
from network_policy.domain.audit.inventory import WORLD, Part
from network_policy.domain.audit.services import ADMIN, admin_services, kinds_in_words
from network_policy.domain.audit.subject import Subject
from network_policy.domain.hygiene.inspection import opened_to_world
from network_policy.domain.intervals import Intervals, meets, normalise, subtract
from network_policy.domain.rule import ETHERTYPES, ICMPV6, Ethertype
from network_policy.domain.world import Group, Port

_ICMPV6: Intervals = ((ICMPV6 * 65536, ICMPV6 * 65536 + 65535),)


def _deletions(subject: Subject, group: Group, ethertype: Ethertype, wanted: Intervals) -> tuple[str, ...]:
    rules = [each for each in group.rules if not each.unclear]
    return tuple(
        f"openstack security group rule delete {rule_id}"
        for rule_id, kinds in opened_to_world(rules, ethertype)
        if meets((kinds,), wanted)
    )


def _of_group(
    subject: Subject, group: Group, what: str, mend: tuple[str, ...], concerned: Sequence[Port], otherwise: Severity
) -> Found:
    """What is wrong about a group; of the severity `otherwise` where it concerns no port."""
    return Found(
        resource_id=group.id,
        where=subject.where(group.project_id, "group", group.name, group.id),
        what=what,
        mend=mend,
        severity=None if concerned else otherwise,
        also=tuple(port.id for port in concerned),
    )


@register.kind(
    "world-open-admin",
    Severity.CRITICAL,
    "The whole world may reach a port for administrators or a database",
    rows="L3 L12 I6",
    why="SSH, RDP, consoles, databases and orchestration APIs are what break-ins begin with; a group admits them from "
    "every address, alone or by prefixes that together are every address.",
    runbook=(
        "See who is in the group: the finding names the ports. Without a port it is low: a trap for the next one.",
        "Make a rule for the jumphosts' prefix, then delete the rule that the finding names.",
        "Cut what is open already: a connection that stood before may live on (take the port down and up).",
        "Look at the hosts' logins since the rule was made.",
    ),
    needs={Part.GROUPS, Part.PORTS, Part.NETWORKS, Part.FLOATING_IPS, Part.ROUTERS},
)
def world_open_admin(subject: Subject) -> Iterator[Found]:
    """By group: services that only administrators should reach."""
    for group in subject.inventory.world.groups:
        members = subject.members.get(group.id, [])
        services = {
            ethertype: found
            for ethertype in ETHERTYPES
            if (found := admin_services(subject.openings[group.id][ethertype]))
        }
        if not services:
            continue
        named = "; ".join(f"{ethertype} {', '.join(found)}" for ethertype, found in services.items())
        public = sum(subject.is_public(port) for port in members)
        yield _of_group(
            subject,
            group,
            f"{named} from every address, on {len(members)} ports; outside has an address for {public} of them",
            tuple(command for ethertype in services for command in _deletions(subject, group, ethertype, ADMIN)),
            members,
            Severity.LOW,
        )


@register.kind(
    "world-open",
    Severity.MEDIUM,
    "The whole world may send to a group's ports",
    rows="L3 L4 L12",
    why="A rule without a far end, or with prefixes that together are every address, admits everybody who has a way "
    "there. Web servers are meant to; in an enclave only the jumphosts are.",
    runbook=(
        "Is the service meant for everybody? Then there is nothing to do.",
        "Otherwise make a rule with the right prefix, then delete the one that the finding names.",
    ),
    needs={Part.GROUPS, Part.PORTS},
)
def world_open(subject: Subject) -> Iterator[Found]:
    """By group: everything else."""
    for group in subject.inventory.world.groups:
        members = subject.members.get(group.id, [])
        for ethertype in ETHERTYPES:
            left = subtract(subject.openings[group.id][ethertype], ADMIN)
            if ethertype == "IPv6":
                left = subtract(left, _ICMPV6)
            if left:
                what = f"{ethertype} {kinds_in_words(left)} from every address, on {len(members)} ports"
                mend = _deletions(subject, group, ethertype, left)
                yield _of_group(subject, group, what, mend, members, Severity.INFORMATIONAL)


@register.kind(
    "ipv6-wider-than-ipv4",
    Severity.HIGH,
    "IPv6 is open to the world where IPv4 is closed",
    rows="CVE-2021-20267 I6",
    why="Whoever closed IPv4 meant the service to be closed. IPv6 is often forgotten, and ports get addresses by "
    "themselves once a router advertises a prefix; early Open vSwitch firewalls also let IPv6 neighbours be spoofed.",
    runbook=(
        "Delete the IPv6 rules that the finding names, or give them the prefixes that IPv4 has.",
        "Where IPv6 is not used at all, leave no IPv6 rule in any group.",
    ),
    needs={Part.GROUPS, Part.PORTS},
)
def ipv6_wider(subject: Subject) -> Iterator[Found]:
    """By group; ICMPv6, which IPv6 can't do without, aside."""
    for group in subject.inventory.world.groups:
        left = subtract(subject.opened_beyond(group, "IPv6", "IPv4"), _ICMPV6)
        if left:
            members = subject.members.get(group.id, [])
            dual = [port for port in members if any(":" in address for address in port.addresses)]
            what = (
                f"IPv6 {kinds_in_words(left)} from every address and not so under IPv4; {len(dual)} of "
                f"{len(members)} ports have an IPv6 address"
            )
            yield _of_group(subject, group, what, _deletions(subject, group, "IPv6", left), dual, Severity.LOW)


@register.kind(
    "floating-ip-open",
    Severity.HIGH,
    "A floating address can be reached by the whole world",
    rows="L3 L4",
    why="A floating IP makes a port of a private network a public host. What its groups admit from every address is "
    "reachable from outside at once; critical when that is a port for administrators.",
    runbook=(
        "Is the host meant to be public, and these ports with it? Then note it and go on.",
        "Take the address away: it costs the owner the way in, and no data.",
        "Or narrow the groups of the port.",
    ),
    needs=WORLD,
)
def floating_ip_open(subject: Subject) -> Iterator[Found]:
    """By address: what passes from outside, over all groups of its port."""
    for floating in subject.inventory.world.floating_ips:
        port = subject.ports.get(floating.port_id or "")
        if port is None:
            continue
        if not subject.reachability.from_outside(port.id, "IPv4"):
            continue
        is_filtered = port.port_security and not port.is_trusted
        passing = subject.opened(port.group_ids, "IPv4") if is_filtered else normalise([(0, 256 * 65536 - 1)])
        if not passing:
            continue
        named = admin_services(passing)
        words = f"{kinds_in_words(passing)}" + (f", {', '.join(named)} among it" if named else "")
        yield Found(
            resource_id=floating.id,
            where=subject.where(floating.project_id, "address", floating.address, floating.id),
            what=f"port {port.name or port.id} takes {words} from every address"
            + ("" if is_filtered else "; nothing filters it"),
            mend=(f"openstack floating ip unset --port {floating.id}",),
            severity=Severity.CRITICAL if named else None,
            also=(port.id,),
        )


@register.kind(
    "default-group-allows",
    Severity.MEDIUM,
    "A default group still lets packets pass",
    rows="L5 L6 I6",
    why="Ports that nobody chose a group for are born in the default group. As Neutron makes it, it lets everything out "
    "and everything in from its other members, so that one host that is broken into reaches all of the project.",
    runbook=(
        "Give the ports groups of their own, with the egress that they need: DHCP (UDP 67) and metadata first.",
        "Then delete the default group's rules; a port that is born in it by accident is closed from then on.",
        "For new projects, change the template: openstack default security group rule list.",
    ),
    needs={Part.GROUPS, Part.PORTS},
)
def default_group_allows(subject: Subject) -> Iterator[Found]:
    """By default group."""
    for group in subject.inventory.world.groups:
        if group.name != "default" or not group.rules:
            continue
        members = subject.members.get(group.id, [])
        ways = [way for way in ("ingress", "egress") if any(each.rule.direction == way for each in group.rules)]
        what = f"{len(group.rules)} rules ({' and '.join(ways)}), {len(members)} ports"
        mend = tuple(f"openstack security group rule delete {each.id}" for each in group.rules)
        yield _of_group(subject, group, what, mend, members, Severity.LOW)


@register.kind(
    "default-template-open",
    Severity.MEDIUM,
    "New groups are born open to the world",
    rows="L5 I6",
    why="Neutron makes each new group after a template that an administrator may edit. A template that admits everybody "
    "opens every project that is made from now on.",
    runbook=("Delete the template's rule. Groups that exist keep theirs: look at them by the other findings.",),
    needs={Part.DEFAULT_RULES},
)
def default_template_open(subject: Subject) -> Iterator[Found]:
    """By rule of the template; Neutron's own admits members and lets out."""
    for rule in subject.inventory.default_rules:
        if rule.direction == "ingress" and rule.remote in ("", "0.0.0.0/0", "::/0"):
            yield Found(
                resource_id=rule.id,
                where="the whole cloud",
                what=f"{rule.ethertype} ingress from every address, in "
                + ("default groups" if rule.for_default_group else "groups that users make"),
                mend=(f"openstack default security group rule delete {rule.id}",),
            )
