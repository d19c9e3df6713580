"""The report as one file for a browser: no script, nothing fetched, everything that came from the cloud escaped."""

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from network_policy.domain.audit.finding import Finding
    from network_policy.domain.audit.matrix import Cell
    from network_policy.domain.audit.report import Report

MAX_GRID_PROJECTS = 150
"""With more, the grid would be too wide to read; the list below it holds every pair."""

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--critical:#b00020;--high:#d1452b;--medium:#b07b00;--low:#4a6fa5}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}code,pre{font:13px ui-monospace,monospace}
pre{white-space:pre-wrap;margin:.3rem 0;padding:.4rem .6rem;background:#8881;border-radius:.3rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);padding:.25rem .5rem;text-align:left;
vertical-align:top}details{border-left:4px solid var(--line);padding-left:.8rem;margin:.8rem 0}summary{cursor:pointer}
.critical{border-color:var(--critical)}.high{border-color:var(--high)}.medium{border-color:var(--medium)}
.low{border-color:var(--low)}.badge{display:inline-block;min-width:6.5rem;font-weight:600}
.grid{overflow:auto;max-height:80vh}.grid table{width:auto}.grid td,.grid th{border:1px solid var(--line);padding:0 .3rem;
font-size:12px;text-align:center}.grid th.r{text-align:right;white-space:nowrap}.grid th.c{writing-mode:vertical-rl}
.open{background:#d1452b88}.self{background:#4a6fa544}.maybe{background:#b07b0044}
"""


def page(report: "Report", cloud: str) -> str:
    """The whole file."""
    body = "\n".join((*_head(report, cloud), *_findings(report), *_matrix(report), *_not_judged(report)))
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Audit of {escape(cloud)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def _head(report: "Report", cloud: str) -> Iterator[str]:
    world = report.inventory.world
    yield f"<h1>Audit of {escape(cloud)}</h1>"
    yield f"<p>{escape(report.inventory.account)}. Digest of what was looked at: <code>{escape(report.digest)}</code></p>"
    counts = [*report.counts.items(), ("not judged", len(report.not_judged))]
    yield "<table><tr>" + "".join(f"<th>{escape(word)}</th>" for word, _ in counts) + "</tr>"
    yield "<tr>" + "".join(f"<td>{count}</td>" for _, count in counts) + "</tr></table>"
    yield (
        f"<p>{len(report.inventory.project_names)} projects, {len(world.ports)} ports, {len(world.groups)} groups, "
        f"{sum(len(group.rules) for group in world.groups)} rules, {len(report.inventory.servers)} servers.</p>"
    )


def _findings(report: "Report") -> Iterator[str]:
    yield "<h2>Findings</h2>"
    by_kind: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        by_kind.setdefault((finding.severity.word, finding.kind.name), []).append(finding)
    for (word, name), found in by_kind.items():
        kind = found[0].kind
        yield f'<details class="{word}"{" open" if word == "critical" else ""}><summary>'
        yield f'<span class="badge">{word}</span> {escape(kind.title)} ({len(found)})</summary>'
        yield f"<p>{escape(kind.why)}</p><p><code>{escape(name)}</code> · {escape(' · '.join(kind.rows))}</p>"
        yield "<ol>" + "".join(f"<li>{escape(step)}</li>" for step in kind.runbook) + "</ol>"
        yield "<table><tr><th>where</th><th>what</th><th>to mend</th></tr>"
        for finding in found:
            mend = escape("\n".join(finding.found.mend))
            yield (
                f"<tr><td>{escape(finding.found.where)}<br><code>{escape(finding.found.resource_id)}</code></td>"
                f"<td>{escape(finding.found.what)}</td><td>{f'<pre>{mend}</pre>' if mend else ''}</td></tr>"
            )
        yield "</table></details>"
    if not by_kind:
        yield "<p>None.</p>"


def _matrix(report: "Report") -> Iterator[str]:
    if report.matrix is None:
        return
    from network_policy.domain.audit.matrix import OUTSIDE, end_name

    inventory, cells = report.inventory, report.matrix.cells
    yield "<h2>Who can reach whom</h2><p>Rows send, columns receive. A pair that is not marked is closed; ○ passes only if somebody outside routes packets to private addresses.</p>"
    ends = sorted(
        {end for cell in cells for end in (cell.source, cell.target)}, key=lambda end: end_name(inventory, end)
    )
    if len(ends) <= MAX_GRID_PROJECTS:
        words = {(cell.source, cell.target): cell for cell in sorted(cells, key=lambda each: each.is_certain)}
        names = {end: escape(end_name(inventory, end)) for end in ends}
        yield (
            '<div class="grid"><table><tr><th></th>'
            + "".join(f'<th class="c">{names[end]}</th>' for end in ends)
            + "</tr>"
        )
        for source in ends:
            row = [f'<tr><th class="r">{names[source]}</th>']
            for target in ends:
                cell = words.get((source, target))
                if cell is None:
                    row.append("<td></td>")
                    continue
                style = "self" if source == target else "open" if cell.is_certain else "maybe"
                row.append(f'<td class="{style}" title="{escape(_said(cell))}">{"●" if cell.is_certain else "○"}</td>')
            yield "".join(row) + "</tr>"
        yield "</table></div>"
    yield "<details><summary>Every pair, with what can pass</summary>"
    yield "<table><tr><th>from</th><th>to</th><th>what can pass</th></tr>"
    for cell in sorted(cells, key=lambda each: (each.source == each.target, OUTSIDE in (each.source, each.target))):
        source, target = end_name(inventory, cell.source), end_name(inventory, cell.target)
        yield f"<tr><td>{escape(source)}</td><td>{escape(target)}</td><td>{escape(_said(cell))}</td></tr>"
    yield "</table></details>"


def _said(cell: "Cell") -> str:
    return cell.words if cell.is_certain else f"{cell.words} (if outside routes to private addresses)"


def _not_judged(report: "Report") -> Iterator[str]:
    yield "<h2>Not judged</h2><p>Neither good nor bad: it could not be seen.</p><table>"
    for each in report.not_judged:
        yield f"<tr><td>{escape(each.what)}</td><td>{escape(each.why)}</td></tr>"
    yield "</table>"
