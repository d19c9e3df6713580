"""`tresor isolation`: is any packet possible that nobody declared?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from operator_cli.exits import Exit, Stop
from operator_cli.options import Output, SomeName, Timeout
from operator_cli.past import At, Between, From, To, show_past
from operator_cli.printing import Form, coloured, console, emit, table

if TYPE_CHECKING:
    from contracts.network_policy import IsolationShown, WorkspaceIsolation
    from contracts.site import Site

Svg = Annotated[Path | None, typer.Option("--svg", help="Draw it into this file too, as SVG.", dir_okay=False)]
Html = Annotated[
    Path | None, typer.Option("--html", help="Draw it into this file too, as one page of HTML.", dir_okay=False)
]
MATRIX_COLUMNS = 5
_WELL_KNOWN = {"169.254.169.254/32": "metadata service", "255.255.255.255/32": "DHCP broadcast"}
_GOOD = {"isolated": True, "violated": False, "unknown": False}


def isolation(
    workspace: SomeName = None,
    output: Output = Form.TABLE,
    svg: Svg = None,
    html: Html = None,
    at: At = None,
    between: Between = None,
    source: From = None,
    target: To = None,
    timeout: Timeout = None,
) -> None:
    """The verdict for one workspace, with what each role may reach, or for all; now, or as it was (docs/isolation-history.md).

    Exit code 1 when isolation is violated or not known.
    """
    if at is not None or between is not None or source is not None or target is not None:
        show_past(workspace, at, between, source, target, output, timeout)
        return
    answer = ask(workspace, timeout)
    draw(answer, workspace, svg, html)
    if output is not Form.TABLE:
        emit(output, answer.model_dump(mode="json"))
    else:
        show(answer, detailed=workspace is not None, names=site_names())
    if workspace is not None and not answer.workspaces:
        raise Stop(Exit.NEGATIVE, f"network-policy knows no workspace '{workspace}'", "`tresor workspace list`")
    bad = [one.workspace for one in answer.workspaces if one.verdict != "isolated"]
    if bad:
        raise Stop(Exit.NEGATIVE, f"not proven isolated: {', '.join(bad)}", "docs/runbooks/isolation-violated.md")


def draw(answer: "IsolationShown", workspace: str | None, svg: Path | None, html: Path | None) -> None:
    """Write the pictures that are asked for: one workspace's roles and flows, or who reaches whom among all."""
    if svg is None and html is None:
        return
    from operator_cli.pictures import files

    names = site_names()
    if svg is not None:
        files.write(svg, files.as_svg(answer, workspace, names))
    if html is not None:
        files.write(html, files.as_html(answer, workspace, names))


def ask(workspace: str | None, timeout: float | None) -> "IsolationShown":
    """network-policy's answer, of all workspaces where none is named."""
    from pydantic import ValidationError

    from contracts.network_policy import IsolationShown, ShowIsolation
    from operator_cli.session import opened, run

    try:
        query = ShowIsolation(of=workspace)
    except ValidationError:
        raise Stop(Exit.USAGE, f"'{workspace}' is no workspace name") from None

    async def asking() -> IsolationShown:
        async with opened() as session:
            answer = part = await session.ask(query, IsolationShown, timeout)
            while part.truncated and part.workspaces:
                part = await session.ask(ShowIsolation(after=part.workspaces[-1].workspace), IsolationShown, timeout)
                answer = answer.model_copy(
                    update={
                        "workspaces": (*answer.workspaces, *part.workspaces),
                        "assumptions": tuple(dict.fromkeys((*answer.assumptions, *part.assumptions))),
                        "truncated": False,
                    }
                )
            return answer

    return run(asking())


def show(answer: "IsolationShown", *, detailed: bool, names: dict[str, str]) -> None:
    """The verdicts with their counterexamples; `detailed`: also who may reach what, and what the verdict rests on.

    `names`: what to call prefixes.
    """
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
        for words in one.quarantined:
            console().print(f"{one.workspace} is in quarantine, {words}", markup=False)
        _counterexamples(one)
        if detailed:
            _matrix(one, names)
    if not detailed:
        return
    out = console()
    for assumption in answer.assumptions:
        out.print(f"assumed: {assumption}", markup=False)
    if answer.workspaces:
        out.print(
            f"what OpenStack is silent about is looked at again every {answer.staleness_seconds:.0f} s"
            + (f", the last time {answer.scan_age_seconds:.0f} s ago" if answer.scan_age_seconds is not None else ""),
            markup=False,
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


def _matrix(one: "WorkspaceIsolation", names: dict[str, str]) -> None:
    """Who may reach whom: rows send, columns receive; a plain list where there are too many columns to read."""
    if not one.reach:
        return
    cells: dict[tuple[str, str], list[str]] = {}
    for reach in one.reach:
        ends = (_named(reach.source, names), _named(reach.destination, names))
        words = f"{reach.protocol} {reach.ports}".strip()
        if words not in cells.setdefault(ends, []):
            cells[ends].append(words)
    title = f"{one.workspace}: what is permitted; all else is denied"
    sources = list(dict.fromkeys(source for source, _ in cells))
    destinations = list(dict.fromkeys(destination for _, destination in cells))
    if len(destinations) > MATRIX_COLUMNS:
        rows = [(source, destination, ", ".join(words)) for (source, destination), words in cells.items()]
        table(("from", "to", "what"), rows, title=title)
        return
    matrix = [
        (source, *("\n".join(cells.get((source, destination), ["–"])) for destination in destinations))
        for source in sources
    ]
    table(("from \\ to", *destinations), matrix, title=title)


def _named(end: str, names: dict[str, str]) -> str:
    return names.get(end, end)


def site_names() -> dict[str, str]:
    """What the site file calls each prefix, where this user has one."""
    from operator_cli.settings import load

    path = load().site_path
    if path is None:
        return dict(_WELL_KNOWN)
    from shared.errors import Configuration
    from shared.settings import load_site

    try:
        site = load_site(path)
    except Configuration:
        return dict(_WELL_KNOWN)
    return prefix_names(site)


def prefix_names(site: "Site") -> dict[str, str]:
    """The site file's names of its prefixes; an endpoint's goes before a zone's."""
    zones = {prefix: f"zone:{name}" for name, zone in site.zones.items() for prefix in zone.prefixes}
    endpoints = {prefix: f"site:{name}" for name, place in site.endpoints.items() for prefix in place.prefixes}
    return {**_WELL_KNOWN, **zones, **endpoints}
