"""The pictures as a page of HTML: one file, no script, and everything that is drawn in tables as well."""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from contracts.network_policy import IsolationShown, WorkspaceIsolation
from operator_cli.pictures import graph, matrix
from operator_cli.pictures.content import MARKS, Enclave, Estate, Way
from operator_cli.pictures.drawing import DARK, LIGHT, SANS, Palette, add

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""No name that came from the cloud can load or run anything, whatever it is."""


def of_all(estate: Estate, answer: IsolationShown) -> str:
    """The page of all workspaces."""
    count = len(estate.workspaces)
    root, main = _page(f"Isolation of {count} workspace{'' if count == 1 else 's'}")
    _drawing(main, matrix.draw(estate), "Who reaches whom")
    undeclared = [way for way in estate.ways if not way.declared]
    _heading(main, "What nobody declared")
    if undeclared:
        _table(main, "What nobody declared", ("from", "to", "what"), [_cells(way) for way in undeclared])
    else:
        add(main, "p", "Nothing passes that nobody declared.")
    _heading(main, "Workspaces")
    columns = (
        "workspace",
        "verdict",
        "generation",
        "groups",
        "rules",
        "ports",
        "comes in",
        "goes out",
        "proven",
        "proof",
    )
    _table(main, "Workspaces", columns, [_row(one) for one in estate.workspaces])
    _basis(main, answer)
    return _text(root)


def of_one(enclave: Enclave, answer: IsolationShown) -> str:
    """The page of one workspace."""
    one = enclave.isolation
    root, main = _page(f"Isolation of {one.workspace}")
    _drawing(main, graph.draw(enclave), "Roles and flows")
    if one.counterexamples:
        _heading(main, "Packets that nobody declared")
        rows = [
            (
                f"{packet.source} {packet.source_address}",
                f"{packet.destination} {packet.destination_address}",
                packet.protocol if packet.port is None else f"{packet.protocol} {packet.port}",
                packet.why,
                ", ".join(packet.rule_ids),
            )
            for packet in one.counterexamples
        ]
        _table(main, "Packets that nobody declared", ("from", "to", "packet", "why it passes", "rules"), rows)
    _heading(main, "What may pass; all else is denied")
    ways = [*enclave.ways, *enclave.inside, *(Way("every role", way.target, way.words, True) for way in enclave.shared)]
    rows_of_ways = [(*_cells(way), "permitted" if way.declared else "✕ nobody declared it") for way in ways]
    _table(main, "What may pass", ("from", "to", "what", ""), rows_of_ways)
    if one.quarantined:
        _heading(main, "In quarantine")
        listed = add(main, "ul")
        for words in one.quarantined:
            add(listed, "li", words)
    _heading(main, "Verdict")
    _table(
        main,
        "Verdict",
        ("workspace", "verdict", "generation", "groups", "rules", "ports", "comes in", "goes out", "proven", "proof"),
        [_row(one)],
    )
    _basis(main, answer)
    return _text(root)


def _cells(way: Way) -> tuple[str, str, str]:
    source, target = (
        f"role {end.removeprefix('role:')}" if end.startswith("role:") else end for end in (way.source, way.target)
    )
    return source, target, way.words


def _row(one: WorkspaceIsolation) -> tuple[str, ...]:
    return (
        one.workspace,
        f"{MARKS[one.verdict]} {one.verdict}",
        str(one.generation),
        str(one.groups),
        str(one.rules),
        str(one.ports),
        one.from_outside or "nothing",
        one.to_outside or "nothing",
        f"{one.proven_at:%Y-%m-%d %H:%M:%S} UTC" if one.proven_at else "",
        one.proof or "",
    )


def _page(title: str) -> tuple[Element, Element]:
    root = Element("html", {"lang": "en"})
    head = add(root, "head")
    add(head, "meta", charset="utf-8")
    add(head, "meta", http_equiv="Content-Security-Policy", content=_POLICY)
    add(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    add(head, "meta", name="color-scheme", content="light dark")
    add(head, "title", title)
    add(head, "style").text = _styles()
    body = add(root, "body")
    add(body, "a", "To the tables", href="#tables", _class="page-skip")
    main = add(body, "main")
    add(main, "h1", title)
    return root, main


def _drawing(main: Element, drawing: Element, label: str) -> None:
    """The picture in a frame that scrolls, also by keyboard; its words for who can't see it are within."""
    frame = add(main, "div", _class="page-frame", role="region", aria_label=label, tabindex="0")
    frame.append(drawing)
    add(main, "div", id="tables")


def _heading(main: Element, text: str) -> None:
    add(main, "h2", text)


def _table(main: Element, label: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    frame = add(main, "div", _class="page-frame", role="region", aria_label=label, tabindex="0")
    table = add(frame, "table")
    add(table, "caption", label)
    header = add(add(table, "thead"), "tr")
    for name in columns:
        add(header, "th", name, scope="col")
    body = add(table, "tbody")
    for row in rows:
        line = add(body, "tr")
        for position, cell in enumerate(row):
            shown = add(line, "th" if position == 0 else "td", cell, **({"scope": "row"} if position == 0 else {}))
            if (ink := _ink(cell)) is not None:
                shown.set("class", ink)


def _ink(cell: str) -> str | None:
    return {"✓": "page-good", "✕": "page-bad", "?": "page-warn"}.get(cell[:1]) if cell[1:2] == " " else None


def _basis(main: Element, answer: IsolationShown) -> None:
    _heading(main, "What the verdict rests on")
    listed = add(main, "ul")
    for assumption in answer.assumptions:
        add(listed, "li", f"assumed: {assumption}")
    add(listed, "li", f"what OpenStack is silent about is looked at again every {answer.staleness_seconds:.0f} s")


def _text(root: Element) -> str:
    return f"<!DOCTYPE html>\n{ElementTree.tostring(root, encoding='unicode', method='html')}\n"


def _styles() -> str:
    shape = f"""
*{{box-sizing:border-box}}
body{{margin:0;font:15px/1.5 {SANS}}}
main{{max-width:1280px;margin:0 auto;padding:24px}}
h1{{font-size:24px;margin:0 0 16px}}
h2{{font-size:17px;margin:32px 0 8px}}
.page-frame{{overflow-x:auto;border:1px solid;border-radius:10px}}
.page-frame svg{{display:block}}
.page-frame:focus-visible,a:focus-visible{{outline:3px solid #3b82f6;outline-offset:2px}}
.page-skip{{position:absolute;left:-999px}}
.page-skip:focus{{left:24px;top:8px;padding:4px 10px}}
table{{border-collapse:collapse;width:100%;font-size:13px}}
caption{{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}
th,td{{text-align:left;vertical-align:top;padding:7px 12px;border-bottom:1px solid}}
tbody tr:last-child>*{{border-bottom:0}}
thead th{{font-weight:600;white-space:nowrap}}
tbody td:last-child{{word-break:break-word}}
.page-good,.page-bad,.page-warn{{font-weight:600;white-space:nowrap}}
"""
    paper = "main{max-width:none;padding:0}.page-frame{border:0;overflow:visible}.page-frame svg{max-width:100%;height:auto}.page-skip{display:none}"
    return (
        shape
        + _colours(LIGHT)
        + "@media (prefers-color-scheme:dark){"
        + _colours(DARK)
        + "}@media print{"
        + paper
        + _colours(LIGHT)
        + "}"
    ).replace("\n", "")


def _colours(of: Palette) -> str:
    return f"""
body,.page-skip{{background:{of.ground};color:{of.text}}}
.page-frame,th,td{{border-color:{of.edge}}}
thead th{{background:{of.card};color:{of.quiet}}}
a{{color:{of.role_edge}}}
.page-good{{color:{of.good}}}.page-bad{{color:{of.bad}}}.page-warn{{color:{of.warn}}}
"""
