"""`tresor watch`: what goes on, live."""

import sys
from typing import TYPE_CHECKING

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import SomeName

if TYPE_CHECKING:
    from operator_cli.board import Board
    from operator_cli.session import Session


def watch(
    workspace: SomeName = None,
    effects: bool = typer.Option(False, "--effects", help="Also every single call to the cloud."),
    until_ready: bool = typer.Option(
        False, "--until-ready", help="End when the workspace is ready (0), failed (4) or deleted (1)."
    ),
    timeout: float | None = typer.Option(None, "--timeout", min=0.1, help="Seconds after which to end (exit code 5)."),
) -> None:
    """Watch a workspace, or all of them, live: progress, nodes, policy, findings. Ctrl-C ends it."""
    if until_ready and workspace is None:
        raise Stop(Exit.USAGE, "--until-ready wants a workspace's name")
    from operator_cli.session import run

    run(_watch(workspace, effects, until_ready, timeout))


async def _watch(workspace: str | None, effects: bool, until_ready: bool, timeout: float | None) -> None:
    import asyncio

    from operator_cli.board import Board
    from operator_cli.session import opened

    async with opened() as session:
        await session.client.hear("#")
        title = workspace or "all workspaces"
        with Board(title, session.clock.now(), stderr=False, effects=effects) as board:
            try:
                async with asyncio.timeout(timeout):
                    await _show_state(session, workspace, board, until_ready)
                    await _follow(session, workspace, board, until_ready)
            except TimeoutError:
                raise Stop(Exit.UNREACHABLE, f"{timeout:.0f} s are over") from None


async def _show_state(session: "Session", workspace: str | None, board: "Board", until_ready: bool) -> None:
    """Begin with how things stand, where the provisioner answers."""
    if workspace is None:
        return
    from contracts.provisioner import ShowWorkspace, WorkspaceShown
    from shared.client import NobodyThere, Unanswered

    try:
        shown = await session.ask(ShowWorkspace(workspace=workspace), WorkspaceShown, 3.0)
    except (Unanswered, NobodyThere) as error:
        board.note(str(error), session.clock.now())
        return
    summary = shown.summary
    if summary is None:
        board.note(f"there is no workspace '{workspace}' yet", session.clock.now())
        return
    board.note(
        f"{summary.state}, generation {summary.generation}: {summary.step}, "
        f"{summary.nodes_active} of {summary.nodes} nodes active",
        session.clock.now(),
    )
    for problem in shown.problems:
        board.note(f"{problem.reason}: {problem.remedy}", session.clock.now())
    if until_ready and summary.state in ("ready", "failed", "deleted"):
        raise typer.Exit({"ready": Exit.OK, "failed": Exit.FAILED, "deleted": Exit.NEGATIVE}[summary.state])


async def _follow(session: "Session", workspace: str | None, board: "Board", until_ready: bool) -> None:
    from contracts.provisioner import WorkspaceDeleted, WorkspaceFailed, WorkspaceReady
    from shared.client import Gap

    forged = 0
    async for said in session.messages():
        if isinstance(said, Gap):
            board.note(f"the connection was lost at {said.since:%H:%M:%S} UTC and is back", session.clock.now())
            continue
        heard, message = said
        if session.client.forged > forged:
            forged = session.client.forged
            board.note(f"{forged} message(s) passed over that no service had signed", session.clock.now())
        if workspace is not None and heard.envelope.subject != workspace:
            continue
        board.hear(message, heard.envelope.time)
        if until_ready:
            for kind, code in (
                (WorkspaceReady, Exit.OK),
                (WorkspaceFailed, Exit.FAILED),
                (WorkspaceDeleted, Exit.NEGATIVE),
            ):
                if isinstance(message, kind):
                    sys.stdout.flush()
                    raise typer.Exit(code)
