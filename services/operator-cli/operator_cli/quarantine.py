"""`tresor quarantine` and `tresor release`: nothing in, nothing out, at once; and the way back, which two people go."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import LongTimeout, Output
from operator_cli.printing import Form, coloured, emit, table

if TYPE_CHECKING:
    from contracts.network_policy import Quarantine

CUT_SECONDS = 120.0
RELEASE_SECONDS = 2000.0
"""Longer than a command waits for its approval."""
LIST, SHOW = "list", "show"

RoleName = Annotated[str | None, typer.Option("--role", help="Only this role.")]
NodeName = Annotated[str | None, typer.Option("--node", help="Only this node: its name, or its server's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with the evidence.")]
WaitForCut = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until nothing passes, or only until accepted.")
]


def quarantine(
    workspace: Annotated[
        str,
        typer.Argument(help="The workspace's name; `list` lists the quarantines, `show` shows the evidence of one."),
    ],
    of: Annotated[str | None, typer.Argument(help="With `show`: a workspace's name, or a quarantine's id.")] = None,
    role: RoleName = None,
    node: NodeName = None,
    reason: Reason = "",
    wait: WaitForCut = True,
    ended: Annotated[bool, typer.Option("--ended", help="With `list`: those that have ended, too.")] = False,
    output: Output = Form.TABLE,
    timeout: LongTimeout = CUT_SECONDS,
) -> None:
    """Cut off a workspace, one of its roles, or one node: nothing in, nothing out, evidence kept first.

    `tresor quarantine list` shows the quarantines, `tresor quarantine show WORKSPACE|ID` the evidence that one keeps.
    """
    from operator_cli.giving import end, give

    if of is not None:
        if workspace != SHOW or role or node or reason:
            raise Stop(Exit.USAGE, f"unexpected argument '{of}'", "`tresor quarantine show WORKSPACE` takes one")
        from operator_cli.evidence import show_evidence

        show_evidence(_one(of), output)
        return
    if workspace == SHOW and not (role or node or reason):
        raise Stop(Exit.USAGE, "whose evidence is not said", "`tresor quarantine show WORKSPACE`, or the id of one")
    if workspace == LIST and not (role or node or reason):
        _show(_ask(None, ended, timeout=None), output)
        return
    if not reason:
        raise Stop(Exit.USAGE, "no reason is given", "say why with --reason: it is kept with the evidence")
    from contracts.network_policy import QuarantineWorkspace

    command = _made(QuarantineWorkspace, workspace=workspace, role=role, node=node, reason=reason)
    end(give(command, wait, timeout, output), output, workspace)


def release(
    workspace: Annotated[str, typer.Argument(help="The workspace's name.")],
    reason: Reason,
    role: RoleName = None,
    node: NodeName = None,
    quarantine_id: Annotated[str | None, typer.Option("--id", help="Exactly this quarantine.")] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until it is approved and done, or only until accepted.")
    ] = False,
    output: Output = Form.TABLE,
    timeout: LongTimeout = RELEASE_SECONDS,
) -> None:
    """End a quarantine. It opens, so another person has to approve it: `tresor approve`."""
    from contracts.network_policy import ReleaseWorkspace
    from operator_cli.giving import end, give

    found = [
        one
        for one in _ask(workspace, False, timeout=None)
        if one.state != "releasing"
        and (quarantine_id is None or one.quarantine_id == quarantine_id)
        and (role is None or one.role == role)
        and (node is None or one.node == node)
    ]
    if not found:
        raise Stop(
            Exit.NEGATIVE, f"{workspace} is in no such quarantine", "`tresor quarantine list` shows those there are"
        )
    if len(found) > 1:
        ids = ", ".join(f"{one.quarantine_id} ({_what(one)})" for one in found)
        raise Stop(
            Exit.USAGE, f"{workspace} is in {len(found)} quarantines: {ids}", "name one with --id, --role or --node"
        )
    one = found[0]
    command = _made(ReleaseWorkspace, workspace=workspace, quarantine_id=one.quarantine_id, reason=reason)
    outcome = give(command, wait, timeout, output, one.generation)
    follow = f"it waits for another person, who runs: tresor approve {outcome.command_id}"
    end(outcome, output, workspace, follow=follow)


def _one(of: str) -> "Quarantine":
    """The newest quarantine of that workspace, or the one of that id. Raises Stop without one."""
    found = [one for one in _ask(None, True, timeout=None) if of in (one.workspace, one.quarantine_id)]
    if not found:
        raise Stop(
            Exit.NEGATIVE, f"there is no quarantine of '{of}'", "`tresor quarantine list --ended` shows those there are"
        )
    return found[0]


def _ask(workspace: str | None, ended: bool, *, timeout: float | None) -> "list[Quarantine]":
    from contracts.network_policy import ListQuarantines, QuarantinesListed
    from operator_cli.session import opened, run

    query = _made(ListQuarantines, of=workspace, ended=ended)

    async def asking() -> QuarantinesListed:
        async with opened() as session:
            return await session.ask(query, QuarantinesListed, timeout)

    return list(run(asking()).quarantines)


def _show(found: "list[Quarantine]", output: Form) -> None:
    if output is not Form.TABLE:
        emit(output, {"quarantines": [one.model_dump(mode="json") for one in found]})
        return
    rows = [
        (
            one.workspace,
            _what(one),
            coloured(one.state, {"cut": True, "held": True, "released": None}.get(one.state, False)),
            one.ports,
            one.floating_ips,
            one.holder,
            f"{one.ordered_at:%Y-%m-%d %H:%M:%S} UTC",
            one.reason,
            one.quarantine_id,
        )
        for one in found
    ]
    columns = ("workspace", "what", "state", "ports", "floating IPs", "by", "since", "reason", "id")
    table(columns, rows, empty="Nothing is in quarantine.")


def _what(one: "Quarantine") -> str:
    return f"role {one.role}" if one.role else f"node {one.node}" if one.node else "all"


def _made(kind: Any, **values: Any) -> Any:
    """The message with what was typed. Raises Stop when it is no valid one."""
    from pydantic import ValidationError

    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        if where in ("workspace", "of"):
            raise Stop(Exit.USAGE, f"'{first['input']}' is no workspace name", "`tresor workspace list`") from None
        if where == "reason":
            raise Stop(
                Exit.USAGE,
                f"the reason has {len(first['input'])} characters; 3 to 500 are wanted",
                "say it in a sentence",
            ) from None
        raise Stop(Exit.USAGE, f"--{where}: {message}" if where else message) from None
