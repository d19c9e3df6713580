"""The report on a terminal: what is worst first, the rest in numbers."""

from typing import TYPE_CHECKING

from operator_cli.printing import console, table

if TYPE_CHECKING:
    from network_policy.domain.audit.finding import Finding, Severity
    from network_policy.domain.audit.report import Report

STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "", "informational": "dim"}
SHOWN_OF_A_KIND = 5
SHOWN_ROWS = 40


def show(report: "Report", *, full: bool) -> None:
    """Findings by kind, the matrix, and what was not judged."""
    from network_policy.domain.audit.inventory import plain

    out = console()
    world = report.inventory.world
    rules = sum(len(group.rules) for group in world.groups)
    out.print(
        f"{plain(report.inventory.account)}: {len(report.inventory.project_names)} projects, {len(world.ports)} ports, "
        f"{len(world.groups)} groups with {rules} rules, {len(report.inventory.servers)} servers",
        markup=False,
    )
    _findings(report, full=full)
    _matrix(report, full=full)
    rows = [(each.what, each.why) for each in report.not_judged]
    table(("not judged", "why"), rows, empty="Nothing was left unjudged.")
    counts = ", ".join(f"{count} {word}" for word, count in report.counts.items() if count)
    out.print(f"findings: {counts or 'none'}; digest of what was looked at {report.digest}", markup=False)


def _findings(report: "Report", *, full: bool) -> None:
    from rich.text import Text

    by_kind: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in report.findings:
        by_kind.setdefault((finding.kind.name, finding.severity), []).append(finding)
    out = console()
    for (_, severity), found in by_kind.items():
        kind = found[0].kind
        head = Text(f"\n{severity.word.upper()} ", style=STYLES[severity.word])
        head.append(f"{kind.title} ({kind.name}; {' '.join(kind.rows)})", style="bold")
        out.print(head)
        out.print(Text(f"  why it matters: {kind.why}", style="italic"))
        shown = found if full else found[:SHOWN_OF_A_KIND]
        for finding in shown:
            out.print(Text(f"  - {finding.found.where} [{finding.found.resource_id}]: {finding.found.what}"))
            for command in finding.found.mend[: None if full else 3]:
                out.print(Text(f"      {command}", style="cyan"))
            if not full and len(finding.found.mend) > 3:
                out.print(f"      … {len(finding.found.mend) - 3} more commands", markup=False)
        if len(found) > len(shown):
            out.print(f"  … {len(found) - len(shown)} more; --full, -o json or --html show them", markup=False)
        out.print(f"  runbook: {kind.runbook_page}", markup=False)
    if not by_kind:
        out.print("No findings.")


def _matrix(report: "Report", *, full: bool) -> None:
    """Projects that may send the same to the same end are one row."""
    if report.matrix is None:
        return
    from network_policy.domain.audit.matrix import OUTSIDE, end_name

    rows: dict[tuple[bool, bool, bool, str, str], list[str]] = {}
    for cell in report.matrix.cells:
        is_own = cell.source == cell.target
        target = "itself" if is_own else end_name(report.inventory, cell.target)
        words = cell.words if cell.is_certain else f"{cell.words} (if outside routes to private addresses)"
        key = (not cell.is_certain, is_own, cell.target == OUTSIDE, target, words)
        rows.setdefault(key, []).append(end_name(report.inventory, cell.source))
    shown = sorted(rows.items())[: None if full else SHOWN_ROWS]
    told = [(_names(sources, full=full), target, words) for (_, _, _, target, words), sources in shown]
    table(("from", "to", "what can pass"), told, title="Who can reach whom", empty="Nobody can reach anybody.")
    if len(rows) > len(shown):
        console().print(f"… {len(rows) - len(shown)} more rows; --full, -o json or --html show them", markup=False)


def _names(names: list[str], *, full: bool) -> str:
    ordered = sorted(names)
    if full or len(ordered) <= SHOWN_OF_A_KIND:
        return ", ".join(ordered)
    return f"{', '.join(ordered[:SHOWN_OF_A_KIND])} and {len(ordered) - SHOWN_OF_A_KIND} more"
