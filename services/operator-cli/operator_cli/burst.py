"""`tresor burst`: pools of nodes on demand, and what Slurm's hooks do, by hand."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import LongTimeout, Name, Output, Timeout
from operator_cli.printing import Form, coloured, emit, table

if TYPE_CHECKING:
    from contracts.burst_scheduler import AboutNodes
    from contracts.envelope import Query

ASK_SECONDS = 30.0

app = typer.Typer(no_args_is_help=True, help="Nodes on demand: pools, nodes, resume, suspend.")

Nodes = Annotated[str, typer.Argument(help="Nodes as Slurm writes them: `cloud[1-3],gpu01`.")]
WaitForTaken = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait until the ledger has them, or only until accepted.")
]


@app.command("pools")
def pools(output: Output = Form.TABLE, timeout: Timeout = None) -> None:
    """Every pool with what it has used."""
    from contracts.burst_scheduler import ListPools, PoolList

    found = _ask(ListPools(), PoolList, timeout).pools
    if output is not Form.TABLE:
        emit(output, {"pools": [one.model_dump(mode="json") for one in found]})
        return
    rows = [
        (
            one.workspace,
            one.role,
            one.provider,
            f"{one.nodes}/{one.max_nodes}",
            f"{one.spent_this_month:.2f}/{one.budget_per_month:.2f}",
        )
        for one in found
    ]
    table(("workspace", "role", "provider", "nodes", "spent this month"), rows, empty="There is no pool.")


@app.command("nodes")
def nodes(
    workspace: Name,
    every: Annotated[bool, typer.Option("--all", help="Those that are not wanted, too.")] = False,
    output: Output = Form.TABLE,
    timeout: Timeout = None,
) -> None:
    """The nodes of a workspace that are wanted: since when, for which jobs, from which provider."""
    from contracts.burst_scheduler import ListNodes, NodeList

    found = _ask(_made(ListNodes, workspace=workspace, every=every), NodeList, timeout).nodes
    if output is not Form.TABLE:
        emit(output, {"workspace": workspace, "nodes": [one.model_dump(mode="json") for one in found]})
        return
    rows = [
        (
            one.name,
            coloured(one.state, {"wanted": True, "released": None}.get(one.state, False)),
            one.provider,
            ", ".join(map(str, one.job_ids)) or "none",
            one.generation,
            f"{one.since:%Y-%m-%d %H:%M:%S} UTC",
        )
        for one in found
    ]
    table(("node", "state", "provider", "jobs", "generation", "since"), rows, empty="No node is wanted.")


@app.command("resume")
def resume(
    workspace: Name,
    nodes: Nodes,
    wait: WaitForTaken = True,
    output: Output = Form.TABLE,
    timeout: LongTimeout = ASK_SECONDS,
) -> None:
    """Want these nodes, as Slurm's ResumeProgram does: as far as the pool has room."""
    from contracts.burst_scheduler import ResumeNodes

    _give(_made(ResumeNodes, workspace=workspace, nodes=nodes, asked_at=_now()), wait, timeout, output)


@app.command("suspend")
def suspend(
    workspace: Name,
    nodes: Nodes,
    wait: WaitForTaken = True,
    output: Output = Form.TABLE,
    timeout: LongTimeout = ASK_SECONDS,
) -> None:
    """Want these nodes no more, as Slurm's SuspendProgram does."""
    from contracts.burst_scheduler import SuspendNodes

    _give(_made(SuspendNodes, workspace=workspace, nodes=nodes, asked_at=_now()), wait, timeout, output)


@app.command("hooks")
def hooks(
    settings: Annotated[Path, typer.Option("--settings", help="The hooks' settings, JSON.", dir_okay=False)],
    to: Annotated[Path, typer.Option("--to", help="The folder that the programs are written to.", file_okay=False)],
) -> None:
    """Write the programs that slurm.conf names: resume, suspend, resume-fail, and drain, which sends what is left over."""
    from operator_cli.burst_hook.settings import Unusable, load
    from operator_cli.burst_programs import write_programs

    try:
        written = write_programs(settings.resolve(), load(str(settings)).spool_path, to)
    except Unusable as error:
        raise Stop(Exit.USAGE, str(error)) from None
    except OSError as error:
        raise Stop(Exit.USAGE, f"{to} can't be written: {error.strerror}") from None
    for name, path in written.items():
        typer.echo(f"# for what is left over: {path}" if name == "drain" else f"{name}={path}")


@app.command("tunnel")
def tunnel(
    file: Annotated[Path, typer.Option("--file", "-f", help="The tunnel's document, YAML.", dir_okay=False)],
    to: Annotated[
        Path | None, typer.Option("--to", help="Write both ends' files below this folder.", file_okay=False)
    ] = None,
) -> None:
    """Check a tunnel's document, also against the site file; with --to, write both ends of it for Libreswan."""
    from operator_cli.libreswan import write_ends
    from operator_cli.printing import say
    from operator_cli.tunnel_document import load_tunnel

    document = load_tunnel(file)
    say(
        f"{document.name}: packets of {document.inner_mtu_bytes} octets pass unbroken, TCP segments of {document.inner_mss_bytes}"
    )
    if to is None:
        return
    try:
        written = write_ends(document, to)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{error.filename or to} can't be written: {error.strerror}") from None
    for side, paths in written.items():
        for path in paths:
            typer.echo(f"{side}: {path}")


def _ask(query: "Query", answer: Any, timeout: float | None) -> Any:
    from operator_cli.session import opened, run

    async def asking() -> Any:
        async with opened() as session:
            return await session.ask(query, answer, timeout)

    return run(asking())


def _now() -> datetime:
    from shared.clock import SystemClock

    return SystemClock().now()


def _give(asked: "AboutNodes", wait: bool, timeout: float, output: Form) -> None:
    from operator_cli.giving import end, give

    ended = give(asked, wait, timeout, output)
    end(ended, output, asked.workspace, follow=f"see it: tresor burst nodes {asked.workspace}")


def _made(kind: Any, **values: Any) -> Any:
    """The message with what was typed. Raises Stop when it is no valid one."""
    from pydantic import ValidationError

    try:
        return kind(**values)
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("nodes",):
            raise Stop(Exit.USAGE, f"'{first['input']}' is no list of nodes", "such as: cloud[1-3],gpu01") from None
        raise Stop(Exit.USAGE, f"'{first['input']}' is no workspace name", "`tresor workspace list`") from None
