"""From a group's rules to the smaller set: what is made, what is deleted, as the openstack command says it."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from network_policy.domain.hygiene.equality import Proof, prove_equal
from network_policy.domain.hygiene.minimise import minimise
from network_policy.domain.rule import ICMP, ICMPV6, RemoteKind, Rule, neutron_protocol
from network_policy.domain.world import GroupRule


@dataclass(frozen=True)
class Amendment:
    """A group as it is and as it could be; nothing is touched that isn't listed here."""

    group_id: str
    before: tuple[GroupRule, ...]
    left_alone: Mapping[str, str] = field(default_factory=dict)
    """Unclear rules, and why."""
    kept: tuple[GroupRule, ...] = ()
    added: tuple[Rule, ...] = ()
    removed: tuple[GroupRule, ...] = ()
    is_exact: bool = True
    proof: Proof = field(default_factory=lambda: prove_equal((), ()))

    @property
    def rules_after(self) -> int:
        return len(self.kept) + len(self.added) + len(self.left_alone)

    @property
    def commands(self) -> tuple[str, ...]:
        """New rules first, so that no packet is refused in between."""
        return (
            *(create_command(self.group_id, rule) for rule in self.added),
            *(f"openstack security group rule delete {shlex.quote(each.id)}" for each in self.removed),
        )


class Unproven(Exception):
    """The smaller set permits other packets: a defect of the minimiser, and nothing is proposed."""


def amend(group_id: str, rules: Iterable[GroupRule], unclear: Mapping[str, str] | None = None) -> Amendment:
    """The group with the fewest rules. Raises Unproven, which the proof's independence is for."""
    before = tuple(rules)
    why = {each.id: (unclear or {})[each.id] for each in before if each.id in (unclear or {})}
    clear = [each for each in before if each.id not in why]
    least = minimise({each.rule for each in clear})
    proof = prove_equal([each.rule for each in clear], least.rules)
    if proof.difference is not None:
        raise Unproven(proof.difference.words)
    kept: dict[Rule, GroupRule] = {}
    for each in clear:
        if each.rule in least.rules:
            kept.setdefault(each.rule, each)
    staying = {each.id for each in kept.values()}
    return Amendment(
        group_id=group_id,
        before=before,
        left_alone=why,
        kept=tuple(kept.values()),
        added=tuple(sorted(least.rules - kept.keys(), key=Rule.key)),
        removed=tuple(each for each in clear if each.id not in staying),
        is_exact=least.is_exact,
        proof=proof,
    )


def create_command(group_id: str, rule: Rule) -> str:
    """The command that makes the rule."""
    words = ["openstack", "security", "group", "rule", "create", f"--{rule.direction}", "--ethertype", rule.ethertype]
    words += ["--protocol", neutron_protocol(rule) or "any"]
    if rule.low is not None and rule.protocol in (ICMP, ICMPV6):
        words += ["--icmp-type", str(rule.low)]
        if rule.high is not None:
            words += ["--icmp-code", str(rule.high)]
    elif rule.low is not None:
        words += ["--dst-port", f"{rule.low}:{rule.high}"]
    option = {
        RemoteKind.PREFIX: "--remote-ip",
        RemoteKind.GROUP: "--remote-group",
        RemoteKind.ADDRESS_GROUP: "--remote-address-group",
    }.get(rule.remote.kind)
    if option:
        words += [option, rule.remote.value]
    else:
        words += ["--remote-ip", "0.0.0.0/0" if rule.ethertype == "IPv4" else "::/0"]
    return shlex.join([*words, group_id])
