"""`tresor audit-log`: whether the log of everything is whole."""

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, Timeout
from operator_cli.printing import Form, coloured, emit, table

app = typer.Typer(no_args_is_help=True, help="The audit log: show where it stands, verify a copy offline.")


@app.command()
def show(
    output: Output = Form.TABLE,
    verify: bool = typer.Option(False, "--verify", help="Have security-monitor verify the chain from its first row."),
    timeout: Timeout = None,
) -> None:
    """Where the audit log stands. Exit code 1 when it was verified and is broken."""
    from contracts.security_monitor import AuditHead, ShowAudit

    from operator_cli.session import opened, run

    async def asking() -> AuditHead:
        async with opened() as session:
            return await session.ask(ShowAudit(verify=verify), AuditHead, timeout or (60.0 if verify else None))

    answer = run(asking())
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    else:
        state = ("whole", True) if answer.verified else ("BROKEN", False) if verify else ("not verified", None)
        table(("rows", "head", "chain"), [(answer.rows, answer.head or "", coloured(*state))])
    if verify and not answer.verified:
        raise Stop(Exit.NEGATIVE, "the audit chain is broken", "docs/runbooks/audit-chain-broken.md")
