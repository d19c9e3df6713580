"""The policy's part of `tresor plan`, and `tresor policy apply`: a plan looked at, then that plan and no other."""

from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import DocumentFile, Generation, LongTimeout, Output, Wait
from operator_cli.printing import Form, coloured, table, tell

if TYPE_CHECKING:
    from contracts.network_policy import PlannedRule, PolicyPlanned
    from contracts.workspace import Workspace

PlanDigest = Annotated[
    str,
    typer.Option("--plan", help="The digest of the plan, as `tresor plan` names it; it is refused if things moved."),
]
APPLY_SECONDS = 300.0
PLAN_SECONDS = 30.0


def ask_plan(document: "Workspace", timeout: float | None) -> "PolicyPlanned":
    """What network-policy would change. Raises Stop."""
    from contracts.network_policy import PlanPolicy, PolicyPlanned
    from operator_cli.session import opened, run

    async def asking() -> PolicyPlanned:
        async with opened() as session:
            return await session.ask(PlanPolicy(document=document), PolicyPlanned, timeout or PLAN_SECONDS)

    return run(asking())


def show_plan(answer: "PolicyPlanned") -> None:
    """Rules, packets, ports and digests to standard output."""
    rows = [
        (
            coloured(rule.action, rule.action == "add"),
            group.role or "default group",
            rule.rule.direction,
            rule.rule.ethertype,
            traffic(rule),
            far_end(rule),
        )
        for group in answer.roles
        for rule in group.rules
    ]
    changed = [group for group in answer.roles if group.group != "keep"]
    table(
        ("", "role", "direction", "ethertype", "traffic", "far end"),
        rows,
        title=f"network policy, from generation {answer.generation}: {answer.steps} calls",
        empty="No rule would change.",
    )
    for group in changed:
        verb = "made" if group.group == "create" else "removed"
        tracking = "" if group.stateful else ", stateless"
        tell(f"the security group of {group.role} would be {verb}{tracking}")
    hidden = sum(group.added + group.removed - len(group.rules) for group in answer.roles)
    if hidden > 0:
        tell(f"and {hidden} more rules")
    if answer.steps:
        _show_packets(answer)
    ports, servers = len(answer.ports) + answer.more_ports, len(answer.servers) + answer.more_servers
    if answer.steps:
        tell(
            f"ports concerned: {ports}, of servers: {servers}; {'it loosens' if answer.loosens else 'it loosens nothing'}"
        )
    for note in answer.notes:
        tell(note)
    tell(f"plan {answer.plan}")


def _show_packets(answer: "PolicyPlanned") -> None:
    table(
        ("packets", "from", "to", "", "kinds", "far addresses", "such as"),
        [
            (
                coloured(one.change, None if one.change == "possible" else True),
                one.source,
                one.destination,
                one.ethertype,
                one.kinds,
                one.far_addresses,
                f"{one.example.source_address} → {one.example.destination_address}",
            )
            for one in answer.packets
        ],
        empty="No packet changes: the same can pass as before.",
    )
    if answer.more_packets:
        tell(f"and {answer.more_packets} more sets of packets")


def traffic(rule: "PlannedRule") -> str:
    """`tcp 22`, `icmp type 8`, `any`."""
    told = rule.rule
    if told.protocol is None:
        return "any"
    if told.port_range_min is None:
        return told.protocol
    if "icmp" in told.protocol:
        return f"{told.protocol} type {told.port_range_min}"
    same = told.port_range_max in (None, told.port_range_min)
    return f"{told.protocol} {told.port_range_min}" + ("" if same else f"-{told.port_range_max}")


def far_end(rule: "PlannedRule") -> str:
    """The role, prefix or group at the other end."""
    told = rule.rule
    named = rule.far_role or told.remote_ip_prefix or told.remote_group_id or told.remote_address_group_id
    return named or "anywhere"


def apply(
    file: DocumentFile,
    plan: PlanDigest,
    output: Output = Form.TABLE,
    wait: Wait = True,
    timeout: LongTimeout = APPLY_SECONDS,
    expect_generation: Generation = None,
) -> None:
    """Apply exactly the plan of that digest to a workspace that stands: its flows, and nothing that is the provisioner's."""
    from pydantic import ValidationError

    from contracts.network_policy import ApplyPolicy
    from operator_cli.giving import end, give
    from operator_cli.workspaces import read_document

    document, source = read_document(file)
    try:
        message = ApplyPolicy(document=document, plan=plan)
    except ValidationError:
        raise Stop(
            Exit.USAGE, f"'{plan[:80]}' is no plan's digest", "`tresor plan -f FILE` ends with it: sha256:…"
        ) from None
    end(give(message, wait, timeout, output, expect_generation), output, document.name, source)
