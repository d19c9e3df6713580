"""`tresor findings`: what a security officer must know."""

from typing import TYPE_CHECKING, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, SomeName, Timeout
from operator_cli.printing import Form, console, emit, say, table
from operator_cli.workspaces import require_known

if TYPE_CHECKING:
    from contracts.security_monitor import Finding

_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "", "informational": "dim"}


def findings(
    workspace: SomeName = None,
    output: Output = Form.TABLE,
    resolved: bool = typer.Option(False, "--resolved", help="Resolved ones too."),
    check: bool = typer.Option(False, "--check", help="Exit code 1 when there is an open finding."),
    timeout: Timeout = None,
) -> None:
    """Findings, newest first, each with its cause, who did it, and the command that mends it."""
    from pydantic import ValidationError

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
    opened_ones = [one for one in answer.findings if one.resolved_at is None]
    if check and opened_ones:
        raise Stop(Exit.NEGATIVE, f"{len(opened_ones)} open finding(s)")


def _show(found: "tuple[Finding, ...]") -> None:
    from rich.text import Text

    def state(one: "Finding") -> Any:
        return Text("open", style="bold red") if one.resolved_at is None else Text("resolved", style="green")

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
        mend = [f"to mend: {one.mend}"] if one.mend else []
        runbook = [f"see {one.runbook}"] if one.runbook else []
        if parts := [*actor, *mend, *runbook]:
            out.print("    " + "; ".join(parts), markup=False)
