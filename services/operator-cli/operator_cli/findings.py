"""`tresor findings`: what a security officer must know."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, Timeout, complete_workspace
from operator_cli.printing import Form, console, emit, say, table
from operator_cli.workspaces import require_known

if TYPE_CHECKING:
    from contracts.security_monitor import Finding

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "", "informational": "dim"}
_STATES = {"open": "bold red", "acknowledged": "yellow", "accepted": "dim", "resolved": "green"}


def findings(
    workspace: Annotated[
        str | None,
        typer.Argument(
            help="The workspace's name; or `ack`, `accept` or `resolve` with a finding's id.",
            autocompletion=complete_workspace,
        ),
    ] = None,
    finding: Annotated[str | None, typer.Argument(help="With `ack`, `accept` and `resolve`: the finding's id.")] = None,
    output: Output = Form.TABLE,
    resolved: bool = typer.Option(False, "--resolved", help="Resolved ones too."),
    check: bool = typer.Option(False, "--check", help="Exit code 1 when a finding is open and not accepted."),
    note: Annotated[str, typer.Option("--note", help="With a finding: why; it is kept with it.")] = "",
    until: Annotated[
        str | None,
        typer.Option("--until", help="With `accept`: a date, or a date and time, UTC, after which it is open again."),
    ] = None,
    timeout: Timeout = None,
) -> None:
    """Findings, newest first, each with its cause, who did it, and the command that mends it.

    `tresor findings ack ID` says that you look at it, `accept ID` that it is left so for a time, `resolve ID` that it is
    over; each with `--note`.
    """
    from pydantic import ValidationError

    if finding is not None:
        from operator_cli.finding_life import change

        change(workspace or "", finding, note, until, output, timeout)
        return
    if note or until:
        raise Stop(Exit.USAGE, "--note and --until go with a finding", "`tresor findings ack ID --note WHY`")

    from contracts.security_monitor import FindingList, ListFindings
    from operator_cli.session import opened, run

    try:
        query = ListFindings(of=workspace, resolved=resolved)
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{workspace}' is no workspace name") from None

    async def asking() -> FindingList:
        async with opened() as session:
            return await session.ask(query, FindingList, timeout)

    answer = run(asking())
    if workspace is not None and not answer.findings:
        require_known(workspace, timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    else:
        _show(answer.findings)
        if answer.truncated:
            say("there are more than these")
    opened_ones = [one for one in answer.findings if one.state in ("open", "acknowledged")]
    if check and opened_ones:
        raise Stop(Exit.NEGATIVE, f"{len(opened_ones)} open finding(s)")


def _show(found: "tuple[Finding, ...]") -> None:
    from rich.text import Text

    def state(one: "Finding") -> Any:
        return Text(one.state, style=_STATES[one.state])

    rows = [
        (
            f"{one.raised_at:%Y-%m-%d %H:%M:%S}",
            Text(one.severity, style=_STYLES[one.severity]),
            state(one),
            one.workspace or "site",
            one.rule,
            one.title,
        )
        for one in found
    ]
    table(("raised (UTC)", "severity", "state", "workspace", "rule", "title"), rows, empty="No findings.")
    out = console()
    for one in found:
        out.print(f"{one.finding_id}: {one.cause}", markup=False)
        actor = [f"by {one.actor}"] if one.actor else []
        if one.holder:
            until = f" until {one.accepted_until:%Y-%m-%d %H:%M} UTC" if one.accepted_until else ""
            actor.append(f"{one.state} by {one.holder}{until}: {one.note}")
        mend = [f"to mend: {one.mend}"] if one.mend else []
        runbook = [f"see {one.runbook}"] if one.runbook else []
        if parts := [*actor, *mend, *runbook]:
            out.print("    " + "; ".join(parts), markup=False)
