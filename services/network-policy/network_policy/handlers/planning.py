"""What a document would change, asked before anything is: the plan in words and numbers, from the cloud as it is."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import datetime

from contracts.documents import problems
from contracts.envelope import Problem
from contracts.network_policy import (
    Counterexample,
    PacketChange,
    PlannedRule,
    PlanPolicy,
    PolicyPlanned,
    RolePlan,
)
from contracts.network_policy.plan import MAX_PLANNED_PACKETS, MAX_PLANNED_PORTS, MAX_PLANNED_RULES
from contracts.site import Site
from contracts.workspace import Workspace
from network_policy import store
from network_policy.domain.compile import Uncompilable
from network_policy.domain.delta import OUTSIDE, Packets
from network_policy.domain.drift import ProtectPort, told_rule
from network_policy.domain.kinds import addresses_in_words, kinds_in_words
from network_policy.domain.outcome import NEW
from network_policy.domain.packet import port_of, show_kind
from network_policy.domain.plan import AddRules, RemoveRule
from network_policy.domain.preview import Preview, Standing, preview
from network_policy.domain.room import quota_problems
from network_policy.domain.rule import RemoteKind
from network_policy.domain.world import World
from network_policy.handlers.context import Context, handlers
from network_policy.store import Known
from shared.errors import Rejected
from shared.work import Work

IP_AND_TCP_HEADERS_BYTES = 40
_NO_PROJECT = f"{NEW}project"


@handlers.answer(PlanPolicy)
async def plan_policy(query: PlanPolicy, tx: Work[Context]) -> PolicyPlanned:
    """From the cloud as it is: it is listed for this, so the answer is as old as the question."""
    known = await store.load(tx.connection, query.document.name)
    found = list(problems(query.document, tx.context.site))
    observed_at = tx.now
    try:
        planned = await planned_of(tx.context, query.document, known)
    except Uncompilable as error:
        raise Rejected(found or [Problem(field="document", reason=str(error))]) from None
    if known is not None and known.project_id is not None:
        making = [step for step in planned.steps if not isinstance(step, ProtectPort)]
        found += quota_problems(making, await tx.context.cloud.quota(known.project_id)) if making else ()
    return await asyncio.to_thread(_told, query.document, known, planned, tx.context.site, found, observed_at)


async def planned_of(context: Context, document: Workspace, known: Known | None) -> Preview:
    """The plan of a document in the cloud as it is. Raises Uncompilable and CloudError."""
    if known is None or known.project_id is None or known.state in ("emptied", "withdrawn"):
        generation = known.generation if known else 0
        return await asyncio.to_thread(preview, document, context.site, Standing(_NO_PROJECT, generation), World())
    groups, ports = await asyncio.gather(context.cloud.groups(known.project_id), context.cloud.ports(known.project_id))
    world = await context.cloud.surroundings(known.project_id, groups, ports, known.network_ids)
    standing = Standing(known.project_id, known.generation, known.group_ids, known.nodes)
    return await asyncio.to_thread(preview, document, context.site, standing, world)


def _told(
    document: Workspace, known: Known | None, planned: Preview, site: Site, found: list[Problem], observed_at: datetime
) -> PolicyPlanned:
    packets, more_packets = _packets(planned)
    nodes = {port.id: port for port in planned.sight.ports if port.project_id == planned.sight.project_id}
    touched = planned.change.port_ids | {each.port_id for each in planned.sight.repairs}
    ports = sorted(each for each in touched if each in nodes)
    servers = sorted({nodes[each].device_id for each in ports if nodes[each].device_id})
    return PolicyPlanned(
        workspace=document.name,
        generation=known.generation if known else 0,
        plan=planned.plan,
        observed=planned.observed,
        observed_at=observed_at,
        roles=tuple(_roles(planned)),
        steps=len(planned.steps),
        packets=packets,
        more_packets=more_packets,
        ports=tuple(ports[:MAX_PLANNED_PORTS]),
        more_ports=max(0, len(ports) - MAX_PLANNED_PORTS),
        servers=tuple(servers[:MAX_PLANNED_PORTS]),
        more_servers=max(0, len(servers) - MAX_PLANNED_PORTS),
        loosens=planned.change.loosens,
        problems=tuple(found),
        notes=tuple(_notes(document, planned, site)),
    )


def _roles(planned: Preview) -> Iterator[RolePlan]:
    """The roles' groups, those that go, and the default group where it changes."""
    actual, left = planned.sight.actual, MAX_PLANNED_RULES
    for role in (*sorted(planned.policy.roles), *sorted(actual.retired), None):
        if role is not None and role.startswith(":"):
            continue
        group = actual.default if role is None else actual.managed.get(role) or actual.retired.get(role)
        rules = tuple(_rules(planned, role, group.id if group else None))
        if role is None and not rules:
            continue
        added = sum(each.action == "add" for each in rules)
        yield RolePlan(
            role=role,
            group_id=group.id if group else None,
            group="create" if group is None else "remove" if role in actual.retired else "keep",
            stateful=role not in planned.policy.stateless,
            added=added,
            removed=len(rules) - added,
            rules=rules[:left],
        )
        left -= len(rules[:left])


def _rules(planned: Preview, role: str | None, group_id: str | None) -> Iterator[PlannedRule]:
    ids = {name: each for name, each in planned.sight.actual.group_ids.items() if not each.startswith(NEW)}
    for step in planned.steps:
        if isinstance(step, AddRules) and step.role == role:
            for rule in step.rules:
                far_role = rule.remote.value if rule.remote.kind is RemoteKind.ROLE else None
                yield PlannedRule(action="add", rule=told_rule(rule, ids), far_role=far_role)
        elif isinstance(step, RemoveRule) and step.group_id == group_id and not step.rule_id.startswith(NEW):
            symbolic = planned.sight.actual.symbolic(step.rule)
            far_role = symbolic.remote.value if symbolic.remote.kind is RemoteKind.ROLE else None
            yield PlannedRule(
                action="remove", rule=told_rule(step.rule, ids), far_role=far_role or None, rule_id=step.rule_id
            )


def _packets(planned: Preview) -> tuple[tuple[PacketChange, ...], int]:
    """What becomes possible first, then what becomes impossible; as many of each as there is room for."""
    made = [each for each in planned.change.packets if each.is_possible]
    gone = [each for each in planned.change.packets if not each.is_possible]
    shown = [*made[:MAX_PLANNED_PACKETS], *gone[:MAX_PLANNED_PACKETS]]
    return tuple(map(_packet, shown)), len(made) + len(gone) - len(shown)


def _packet(each: Packets) -> PacketChange:
    return PacketChange(
        change="possible" if each.is_possible else "impossible",
        source=each.source,
        destination=each.destination,
        ethertype=each.ethertype,
        far_addresses=addresses_in_words(each.far, each.ethertype)[:2000] if each.far else "",
        kinds=kinds_in_words(each.kinds)[:2000],
        example=Counterexample(
            source=_end(each.source, each.source_port),
            source_address=each.source_address,
            destination=_end(each.destination, each.destination_port),
            destination_address=each.destination_address,
            protocol=show_kind(each.kind),
            port=port_of(each.kind),
            rule_ids=tuple(rule_id for rule_id in each.rule_ids if not rule_id.startswith(NEW)),
            why="passes by the planned rules" if each.is_possible else "passes by the rules that stand",
        ),
    )


def _end(title: str, port_id: str) -> str:
    if title == OUTSIDE:
        return OUTSIDE
    return f"a node of {title} to come" if port_id.startswith(NEW) else f"port {port_id} ({title})"


def _notes(document: Workspace, planned: Preview, site: Site) -> Iterable[str]:
    for role in document.roles:
        if role.stateless:
            yield (
                f"{role.name} is stateless: what its replies come in by is open to connections from the same far ends, to"
                " ports from 1024 up."
            )
    used = {
        end.partition(":")[2] for flow in document.flows for end in (flow.from_, flow.to) if end.startswith("zone:")
    }
    used |= {name for role in document.roles for name in role.tunnels}
    for name in sorted(used & set(site.tunnels)):
        inner = site.tunnels[name].inner_mtu_bytes
        yield (
            f"Through tunnel {name} packets of at most {inner} bytes pass whole: set the MTU of its nodes to {inner}, or"
            f" clamp TCP's MSS to {inner - IP_AND_TCP_HEADERS_BYTES} (IPv4) on the gateway."
        )
