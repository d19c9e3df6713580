"""Each event as a sentence for whoever watches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from contracts import burst_scheduler, network_policy, provisioner, security_monitor, storage
from contracts.approvals import CommandApproved, CommandWaiting
from contracts.envelope import Message, Problem
from contracts.outbox import OutboxHead
from contracts.outcome import (
    CommandAccepted,
    CommandApplied,
    CommandFailed,
    CommandRejected,
    EffectRecorded,
    InputRefused,
    MessageParked,
    NotificationsDropped,
    NotificationsRecovered,
)
from contracts.parked import ParkedDropped, ParkedReplayed


@dataclass(frozen=True)
class Sentence:
    """Words about a message. `good` is None where it is neither good nor bad news."""

    text: str
    good: bool | None = None
    ends: bool = False
    """The service has nothing more to do for the workspace after this."""


def sentence(message: Message) -> Sentence:
    """What the message says."""
    for kind in type(message).__mro__:
        if found := _SENTENCES.get(kind):
            return found(message)
    return Sentence(message.type.partition(".")[2].replace(".", " "))


def is_chatter(message: Message) -> bool:
    """Whether it is only the chassis' own bookkeeping."""
    return isinstance(message, OutboxHead)


def seconds(value: float) -> str:
    """A duration for a person: milliseconds below a second."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _problems(problems: tuple[Problem, ...]) -> str:
    return "; ".join(f"{problem.field}: {problem.reason}" if problem.field else problem.reason for problem in problems)


def rule_words(rule: network_policy.Rule) -> str:
    """A security group rule: `ingress tcp/22 from 0.0.0.0/0`."""
    low, high = rule.port_range_min, rule.port_range_max
    ports = "" if low is None and high is None else f"/{low}" if low == high or high is None else f"/{low}-{high}"
    remote = rule.remote_ip_prefix or rule.remote_group_id or rule.remote_address_group_id
    if remote is None:
        remote = "0.0.0.0/0" if rule.ethertype == "IPv4" else "::/0"
    side = "from" if rule.direction == "ingress" else "to"
    return f"{rule.direction} {rule.protocol or 'any protocol'}{ports} {side} {remote}"


def drift_words(drift: network_policy.RuleDrift) -> str:
    """One drift: what changed, and where."""
    where = f" in group {drift.role}" if drift.role else ""
    what = f": {rule_words(drift.rule)}" if drift.rule else f": port {drift.port_id}" if drift.port_id else ""
    return f"{drift.change.replace('-', ' ')}{where}{what}"


def _drift(message: network_policy.DriftDetected) -> Sentence:
    words = "; ".join(drift_words(one) for one in message.drift[:3])
    more = f" and {len(message.drift) - 3} more" if len(message.drift) > 3 else ""
    actor = f", by user {message.actor}" if message.actor else ""
    doing = "repairing" if message.repairing else "observing only: not repaired"
    return Sentence(f"drift, seen by {message.seen_by}{actor}: {words}{more} ({doing})", good=False)


def _repaired(message: network_policy.DriftRepaired) -> Sentence:
    since = message.seconds_since_change
    from_change = f", {seconds(since)} after OpenStack told of the change" if since is not None else ""
    noun = "step" if message.steps == 1 else "steps"
    return Sentence(
        f"drift repaired in {message.steps} {noun}, {seconds(message.seconds_since_detection)} after it was seen{from_change}",
        good=True,
    )


def _enforced(message: network_policy.PolicyEnforced) -> Sentence:
    return Sentence(
        f"policy enforced and isolation proven: {len(message.groups)} groups, {message.rules} rules, proof {message.proof[7:19]}…",
        good=True,
        ends=True,
    )


def _node(message: provisioner.NodeActive) -> Sentence:
    host = f" on {message.host}" if message.host else ""
    return Sentence(f"{message.node} is active{host} at {', '.join(message.addresses)}", good=True)


def _progress(message: provisioner.Progressed) -> Sentence:
    return Sentence(f"{message.step} ({message.done}/{message.total})")


def _effect(message: EffectRecorded) -> Sentence:
    good = {"done": None, "failed": False, "unknown": None}[message.outcome]
    error = f": {message.error}" if message.error else ""
    return Sentence(
        f"{message.step} {message.marker} {message.outcome} in {seconds(message.duration_seconds)}{error}", good
    )


def _finding(message: security_monitor.FindingRaised) -> Sentence:
    one = message.finding
    return Sentence(f"finding, {one.severity}: {one.title}: {one.cause}", good=False)


def _networks(message: provisioner.NetworkReady) -> Sentence:
    nets = ", ".join(f"{network.name} {'/'.join(network.prefixes)}" for network in message.networks)
    return Sentence(f"networks ready: {nets}", good=True)


def _storage(message: storage.StorageReady) -> Sentence:
    shares = ", ".join(share.name for share in message.shares) or "none"
    return Sentence(f"storage ready: shares {shares}; {len(message.volumes)} volumes", good=True, ends=True)


def _quarantined(message: network_policy.WorkspaceQuarantined) -> Sentence:
    what = f"role {message.role}" if message.role else f"node {message.node}" if message.node else "the whole workspace"
    return Sentence(
        f"quarantined: {what}, {message.ports} ports of {message.servers} servers, {message.floating_ips} floating IPs, "
        f"{seconds(message.seconds)} after the order of {message.holder}: {message.reason}",
        good=True,
    )


def _released(message: network_policy.WorkspaceReleased) -> Sentence:
    lost = f"; not given back: {'; '.join(message.not_restored)}" if message.not_restored else ""
    return Sentence(f"released from quarantine: {message.ports} ports, asked for by {message.holder}{lost}", good=True)


def _duplicate(message: network_policy.DuplicateFound) -> Sentence:
    one = message.duplicate
    spurious = ", ".join(each.port_id for each in one.spurious)
    where = f" on {', '.join(one.hosts)}" if one.kind == "flapping" else ""
    return Sentence(
        f"{len(one.ports)} ports say {one.mac_address}{where}" + (f"; spurious: {spurious}" if spurious else ""),
        good=False,
    )


def _cleared(message: network_policy.DuplicateResolved) -> Sentence:
    removed = f": port {message.removed_port_id} is removed" if message.removed_port_id else ""
    return Sentence(f"only one port says {message.mac_address} any more{removed}", good=True)


def _held(message: network_policy.WithdrawalHeld) -> Sentence:
    ports = "; ".join(
        f"port {one.port_id} of project {one.project_id or '?'} ({one.device_owner or 'no device'} {one.device_id})"
        f" is in group {one.group_id}"
        for one in message.holders[:3]
    )
    more = len(message.holders) - 3 + message.more
    others = f" and {more} more" if more > 0 else ""
    return Sentence(f"the groups can't go: {ports}{others}; it goes on by itself once they are out of them", good=False)


def _nodes(nodes: tuple[burst_scheduler.WantedNode | burst_scheduler.ReleasedNode, ...]) -> str:
    more = f" and {len(nodes) - 3} more nodes" if len(nodes) > 3 else ""
    return ", ".join(node.name for node in nodes[:3]) + more


_SENTENCES: dict[type[Message], Callable[[Any], Sentence]] = {
    CommandAccepted: lambda m: Sentence(f"{m.command_type} of {m.holder} is accepted"),
    CommandApplied: lambda m: Sentence(f"{m.command_type} of {m.holder} is applied", good=True),
    CommandRejected: lambda m: Sentence(
        f"{m.command_type} of {m.holder} is rejected: {_problems(m.problems)}", good=False
    ),
    CommandFailed: lambda m: Sentence(f"{m.command_type} of {m.holder} failed: {_problems(m.problems)}", good=False),
    CommandWaiting: lambda m: Sentence(
        f"{m.command_type} of {m.holder} waits for another person until {m.waits_until:%H:%M:%S} UTC: "
        f"tresor approve {m.command_id}"
    ),
    CommandApproved: lambda m: Sentence(f"{m.command_type} of {m.holder} is approved by {m.approver}", good=True),
    EffectRecorded: _effect,
    InputRefused: lambda m: Sentence(f"input refused, {m.reason}: {m.detail}", good=False),
    MessageParked: lambda m: Sentence(f"{m.message_type} set aside after {m.attempts} attempts: {m.error}", good=False),
    NotificationsDropped: lambda m: Sentence(
        f"{m.messages} or more of OpenStack's notifications were dropped unread by {m.queue}"
        + (": scanning at once" if m.scans else ""),
        good=False,
    ),
    NotificationsRecovered: lambda m: Sentence(
        f"{m.queue} drops nothing any more; {m.messages} notifications were dropped", good=True
    ),
    ParkedReplayed: lambda m: Sentence(f"{m.message_type} that was set aside is handled again, for {m.holder}"),
    ParkedDropped: lambda m: Sentence(f"{m.message_type} that was set aside is dropped by {m.holder}"),
    provisioner.WorkspaceDeclared: lambda m: Sentence(f"generation {m.generation} declared, project {m.project_id}"),
    provisioner.NetworkReady: _networks,
    provisioner.Progressed: _progress,
    provisioner.NodeActive: _node,
    provisioner.NodeFailed: lambda m: Sentence(f"{m.node} failed: {m.fault}", good=False),
    provisioner.WorkspaceReady: lambda m: Sentence(
        f"workspace ready: {m.nodes} nodes, {seconds(m.duration_seconds)} after admission", good=True, ends=True
    ),
    provisioner.WorkspaceFailed: lambda m: Sentence(f"workspace failed: {_problems(m.problems)}", good=False),
    provisioner.WorkspaceDeleting: lambda m: Sentence(f"deleting, generation {m.generation}"),
    provisioner.WorkspaceEmptied: lambda m: Sentence("all nodes and ports are gone", good=True),
    provisioner.WorkspaceDeleted: lambda m: Sentence("workspace deleted: nothing of it is left", good=True, ends=True),
    network_policy.PolicyEnforced: _enforced,
    network_policy.PolicyApplied: lambda m: Sentence(f"plan {m.plan[7:19]}… applied by {m.holder}", good=True),
    network_policy.PolicyRefused: lambda m: Sentence(f"policy not begun: {_problems(m.problems)}", good=False),
    network_policy.DeletionCleared: lambda m: Sentence("no quarantine stands in the way of the deletion", good=True),
    network_policy.PolicyWithdrawn: lambda m: Sentence("security groups are gone", good=True, ends=True),
    network_policy.WithdrawalHeld: _held,
    network_policy.IsolationViolated: lambda m: Sentence(
        f"isolation violated: {m.counterexamples[0].why}" + (f" (and {m.more} more)" if m.more else ""), good=False
    ),
    network_policy.IsolationProven: lambda m: Sentence(f"isolation proven again, proof {m.proof[7:19]}…", good=True),
    network_policy.PolicyTestFailed: lambda m: Sentence(f"policy test '{m.test}' failed: {m.reason}", good=False),
    network_policy.PolicyTestPassed: lambda m: Sentence(f"policy test '{m.test}' holds again", good=True),
    network_policy.DriftDetected: _drift,
    network_policy.EvidenceKept: lambda m: Sentence(
        f"evidence kept, part {m.part} of {m.parts}, digest {m.digest[7:19]}…"
    ),
    network_policy.WorkspaceQuarantined: _quarantined,
    network_policy.WorkspaceReleased: _released,
    network_policy.DuplicateFound: _duplicate,
    network_policy.DuplicateResolved: _cleared,
    network_policy.DriftRepaired: _repaired,
    storage.StorageReady: _storage,
    storage.StorageFailed: lambda m: Sentence(f"storage failed: {_problems(m.problems)}", good=False),
    storage.StorageReleased: lambda m: Sentence("shares and volumes are gone", good=True, ends=True),
    storage.AccessDrifted: lambda m: Sentence(
        f"access to {m.share} drifted: added {', '.join(m.added) or 'nobody'}, removed {', '.join(m.removed) or 'nobody'}",
        good=False,
    ),
    storage.SurplusLeft: lambda m: Sentence(
        f"a second {m.kind} '{m.name}' ({m.resource_id}) is left for you to look at: {m.reason}", good=False
    ),
    storage.AccessRepaired: lambda m: Sentence(f"access to {m.share} is as declared again", good=True),
    burst_scheduler.PoolReady: lambda m: Sentence(
        f"pool of {m.role} ready: up to {m.max_nodes} nodes at {m.provider}", good=True, ends=True
    ),
    burst_scheduler.PoolRemoved: lambda m: Sentence("the pool takes no more demand", good=True, ends=True),
    burst_scheduler.NodesWanted: lambda m: Sentence(f"{_nodes(m.nodes)} wanted of {m.provider}"),
    burst_scheduler.NodesReleased: lambda m: Sentence(
        f"{_nodes(m.nodes)} to go from {m.provider}: {m.reason.replace('-', ' ')}",
        good=False if m.reason == "gave-up" else None,
    ),
    burst_scheduler.NodesRefused: lambda m: Sentence(
        f"{len(m.nodes)} nodes are not to be had, from {m.nodes[0]} on: {m.problem.reason}", good=False
    ),
    security_monitor.FindingRaised: _finding,
    security_monitor.FindingChanged: lambda m: Sentence(f"finding {m.finding.state}: {m.finding.title}"),
    security_monitor.FindingResolved: lambda m: Sentence(f"resolved: {m.finding.title}", good=True),
}
