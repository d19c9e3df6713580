"""`tresor audit-log`: whether the log of everything is whole."""

import sys
from pathlib import Path
from typing import Annotated

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


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The export, a JSON object a line; `-` reads standard input.")],
    output: Output = Form.TABLE,
) -> None:
    """Verify an exported audit log with nothing but the file. Exit code 1 at the first row that is not as it was."""
    from contracts.audit import verify_export

    try:
        with sys.stdin if str(file) == "-" else file.open(encoding="utf-8") as lines:
            rows, ends, found = verify_export(lines)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{file} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Stop(Exit.USAGE, f"{file} is no UTF-8 text, so no audit export") from None
    except ValueError as error:
        raise Stop(Exit.NEGATIVE, f"{file}: {error}", "docs/runbooks/audit-chain-broken.md") from None
    if output is not Form.TABLE:
        data = {
            "rows": rows,
            "whole": found is None,
            "break": None if found is None else {"position": found.position, "reason": found.reason},
            "streams": {name: {"position": end.position, "link": end.link.hex()} for name, end in ends.items()},
        }
        emit(output, data)
    else:
        table(
            ("stream", "rows up to", "link of the last"),
            [(name, end.position, end.link.hex()) for name, end in sorted(ends.items())],
            empty="No whole row.",
        )
    if found is not None:
        raise Stop(
            Exit.NEGATIVE,
            f"the chain breaks at row {found.position}: {found.reason}",
            "docs/runbooks/audit-chain-broken.md",
        )
    if not rows:
        raise Stop(Exit.NEGATIVE, f"{file} holds no row: nothing is verified")
