"""The tree of `tresor`'s commands. Each imports what it needs when it runs, so that help and completion are quick."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from operator_cli import (
    approvals,
    audit,
    burst,
    cloud_audit,
    detections,
    events,
    findings,
    isolation,
    keys,
    parked,
    policy,
    ports,
    quarantine,
    watch,
    workspaces,
)
from operator_cli.exits import Exit, Stop
from operator_cli.options import DocumentFile, Output, PlanTestsFile, Timeout
from operator_cli.printing import Form

app = typer.Typer(
    name="tresor",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Trusted Research Environments and secure HPC on OpenStack.",
    epilog="Settings: TRESOR_AMQP_URL, TRESOR_SIGNING_KEY_PATH, TRESOR_KEYRING_PATH … or ~/.config/tresor/config.yaml. "
    "Exit codes: 0 good, 1 bad answer, 2 usage, 3 rejected, 4 failed, 5 unreachable or out of time, 6 not permitted, "
    "7 not all of it judged, 74 the answer could not be written, 130 interrupted.",
)
app.add_typer(workspaces.app, name="workspace")
app.add_typer(keys.app, name="keys")
app.add_typer(burst.app, name="burst")
app.add_typer(audit.app, name="audit-log")
app.add_typer(policy.app, name="policy")
app.command("watch")(watch.watch)
app.command("events")(events.events)
app.command("isolation")(isolation.isolation)
app.command("findings")(findings.findings)
app.add_typer(detections.app, name="detections")
app.command("approvals")(approvals.approvals)
app.command("approve")(approvals.approve)
app.command("deny")(approvals.deny)
app.command("quarantine")(quarantine.quarantine)
app.command("release")(quarantine.release)
app.add_typer(parked.app, name="parked")
app.add_typer(ports.app, name="ports")
app.command("audit")(cloud_audit.audit)


@app.command("plan")
def plan(file: DocumentFile, output: Output = Form.TABLE, tests: PlanTestsFile = None, timeout: Timeout = None) -> None:
    """What a create with this document would do, and everything that speaks against it. Changes nothing."""
    workspaces.make_plan(file, output, tests, timeout)


@app.command("doctor")
def doctor(
    output: Output = Form.TABLE,
    clouds: Annotated[Path | None, typer.Option("--clouds", help="clouds.yaml (setting clouds_path).")] = None,
    listen_seconds: float = typer.Option(
        5.0, "--listen", min=0, help="How long to listen for notifications on OpenStack's bus."
    ),
) -> None:
    """Look at everything that Tresor needs: broker, queues, rights, services, OpenStack's bus and its APIs."""
    from operator_cli.doctor.report import examine

    examine(output, clouds, listen_seconds)


@app.command("completion")
def completion(shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")] = "bash") -> None:
    """Print the shell's completion script: `eval "$(tresor completion bash)"`."""
    if shell not in ("bash", "zsh", "fish"):
        raise Stop(Exit.USAGE, f"there is no completion for '{shell}'", "use one of: bash, zsh, fish")
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="tresor", complete_var="_TRESOR_COMPLETE", shell=shell)
    sys.stdout.write(f"{script}\n")
