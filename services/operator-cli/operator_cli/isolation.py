"""`tresor isolation`: is any packet possible that nobody declared?"""

from typing import TYPE_CHECKING

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, SomeName, Timeout
from operator_cli.printing import Form, coloured, console, emit, table

if TYPE_CHECKING:
    from contracts.network_policy import IsolationShown, WorkspaceIsolation

_GOOD = {"isolated": True, "violated": False, "unknown": False}


def isolation(workspace: SomeName = None, output: Output = Form.TABLE, timeout: Timeout = None) -> None:
    """The verdict for one workspace, with what each role may reach, or for all.

    Exit code 1 when isolation is violated or not known.
    """
    answer = ask(workspace, timeout)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    else:
        show(answer, detailed=workspace is not None)
    if workspace is not None and not answer.workspaces:
        raise Stop(Exit.NEGATIVE, f"network-policy knows no workspace '{workspace}'", "`tresor workspace list`")
    bad = [one.workspace for one in answer.workspaces if one.verdict != "isolated"]
    if bad:
        raise Stop(Exit.NEGATIVE, f"not proven isolated: {', '.join(bad)}", "docs/runbooks/isolation-violated.md")


def ask(workspace: str | None, timeout: float | None) -> "IsolationShown":
    """network-policy's answer."""
    from contracts.network_policy import IsolationShown, ShowIsolation
    from pydantic import ValidationError

    from operator_cli.session import opened, run

    try:
        query = ShowIsolation(of=workspace)
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{workspace}' is no workspace name") from None

    async def asking() -> IsolationShown:
        async with opened() as session:
            return await session.ask(query, IsolationShown, timeout)

    return run(asking())


def show(answer: "IsolationShown", *, detailed: bool) -> None:
    """The verdicts, and for one workspace its counterexamples and who may reach what."""
    rows = [
        (
            one.workspace,
            coloured(one.verdict, _GOOD[one.verdict]),
            one.generation,
            one.groups,
            one.rules,
            one.ports,
            f"{one.proven_at:%Y-%m-%d %H:%M:%S} UTC" if one.proven_at else "",
            one.proof[7:23] + "…" if one.proof else "",
        )
        for one in answer.workspaces
    ]
    columns = ("workspace", "verdict", "gen", "groups", "rules", "ports", "proven at", "proof")
    table(columns, rows, empty="There is no workspace to prove anything of.")
    for one in answer.workspaces:
        _counterexamples(one)
        if detailed:
            _matrix(one)
    out = console()
    for assumption in answer.assumptions:
        out.print(f"assumed: {assumption}", markup=False)
    if answer.workspaces:
        out.print(
            f"what OpenStack is silent about is looked at again every {answer.staleness_seconds:.0f} s", markup=False
        )


def _counterexamples(one: "WorkspaceIsolation") -> None:
    if not one.counterexamples:
        return
    rows = [
        (
            f"{packet.source} {packet.source_address}",
            f"{packet.destination} {packet.destination_address}",
            f"{packet.protocol}/{packet.port}" if packet.port is not None else packet.protocol,
            packet.why,
        )
        for packet in one.counterexamples
    ]
    table(("from", "to", "packet", "why it passes"), rows, title=f"{one.workspace}: packets that nobody declared")


def _matrix(one: "WorkspaceIsolation") -> None:
    """Rows send, columns receive."""
    if not one.reach:
        return
    sources = list(dict.fromkeys(reach.source for reach in one.reach))
    destinations = list(dict.fromkeys(reach.destination for reach in one.reach))
    cells: dict[tuple[str, str], list[str]] = {}
    for reach in one.reach:
        words = f"{reach.protocol} {reach.ports}".strip()
        cells.setdefault((reach.source, reach.destination), []).append(words)
    rows = [
        (source, *("\n".join(cells.get((source, destination), ["–"])) for destination in destinations))
        for source in sources
    ]
    table(("from \\ to", *destinations), rows, title=f"{one.workspace}: what is permitted; all else is denied")
