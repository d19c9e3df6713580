"""One workspace's roles and flows as a graph: who comes in on the left, the roles, whom they reach on the right."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from operator_cli.pictures.content import MARKS, WITHOUT_ROLE, Enclave, Way
from operator_cli.pictures.drawing import add, clean, fitting, picture, wide
from operator_cli.pictures.geometry import Box, Line, Plan, place
from operator_cli.pictures.layers import Edge, arrange

MAX_WAYS = 160
"""More edges than this nobody reads; the undeclared ones are drawn before all others."""
MARGIN = 36.0
HEAD = 96.0
FRAME_PAD = 18.0
FRAME_HEAD = 34.0
LABEL_WIDTH = 230.0
GROUNDS = {"isolated": "good", "violated": "bad", "unknown": "warn"}


@dataclass(frozen=True)
class Node:
    """What is written on a node."""

    key: str
    name: str
    kind: str
    rows: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[float, float]:
        """Width and height that the words need."""
        words = [wide(self.name, face="bold"), wide(self.kind, 11), *(wide(row, 12, face="mono") for row in self.rows)]
        return max(120.0, min(280.0, max(words) + 28)), 52.0 + 19 * len(self.rows)


def draw(enclave: Enclave) -> Element:
    """The picture of the workspace."""
    drawn = sorted(enclave.ways, key=lambda way: (way.declared, way.source, way.target))[:MAX_WAYS]
    left_out = len(enclave.ways) - len(drawn)
    nodes = {node.key: node for node in _nodes(enclave, drawn)}
    edges = {Edge(*_keys(way), 0 if way.declared else 1): way for way in drawn}
    labels = {edge: _label(way) for edge, way in edges.items()}
    layering = arrange(
        list(nodes),
        list(edges),
        first=[key for key in nodes if key.startswith("in:")],
        last=[key for key in nodes if key.startswith("out:")],
    )
    plan = place(
        layering,
        {key: node.size for key, node in nodes.items()},
        {edge: wide(text, 12, face="mono") for edge, text in labels.items()},
        MARGIN + FRAME_PAD,
        HEAD + FRAME_HEAD,
    )
    width = max(760.0, max((x + own for x, own in plan.columns), default=0.0) + MARGIN + FRAME_PAD)
    body = HEAD + FRAME_HEAD + plan.height + FRAME_PAD
    shared_rows = _rows_of_shared(enclave, width - 2 * MARGIN - 32)
    height = body + 28 + (64 + 24 * len(shared_rows) if shared_rows else 0) + 48
    root = picture(width, height, f"Isolation of {enclave.isolation.workspace}", describe(enclave))
    _head(root, enclave, width)
    _frame(root, enclave, plan, body)
    for edge, way in edges.items():
        _edge(root, way, labels[edge], plan.lines[edge], is_turned=edge in layering.reversed_edges)
    for key, node in nodes.items():
        _node(root, node, plan.boxes[key])
    y = body + 28
    if shared_rows:
        y = _shared(root, shared_rows, width, y)
    _legend(root, enclave, y, left_out)
    return root


def describe(enclave: Enclave) -> str:
    """The picture in words, for who can't see it."""
    one = enclave.isolation
    said = [f"Workspace {one.workspace} is {one.verdict}. Roles: {', '.join(enclave.roles) or 'none'}."]
    for way in (*enclave.ways[:MAX_WAYS], *enclave.inside):
        may = "may send" if way.declared else "may send, though nobody declared it,"
        said.append(f"{_plain(way.source)} {may} {way.words} to {_plain(way.target)}.")
    if enclave.shared:
        said.append(f"Every role may reach {', '.join(f'{way.target} ({way.words})' for way in enclave.shared)}.")
    return clean(" ".join(said), 20_000)


def _plain(end: str) -> str:
    return f"role {end.removeprefix('role:')}" if end.startswith("role:") else end


def _keys(way: Way) -> tuple[str, str]:
    source = way.source if way.source.startswith("role:") else f"in:{way.source}"
    target = way.target if way.target.startswith("role:") else f"out:{way.target}"
    return source, target


def _nodes(enclave: Enclave, drawn: list[Way]) -> list[Node]:
    """Sources first, then roles, then targets, each by name: the layout keeps this order where nothing speaks against."""
    inside: dict[str, list[str]] = {}
    for way in enclave.inside:
        inside.setdefault(way.source, []).append(f"{'↻' if way.declared else '✕ ↻'} {way.words}")
    ends = {key: None for way in drawn for key in _keys(way) if not key.startswith("role:")}
    named = {"site": "site endpoint", "zone": "zone of the site"}
    roles = [
        Node(
            f"role:{role}",
            role,
            "ports of no node" if role == WITHOUT_ROLE else "role",
            tuple(inside.get(f"role:{role}", ())),
        )
        for role in enclave.roles
    ]
    far: list[Node] = []
    for key in sorted(ends, key=lambda key: (key.partition(":")[2].partition(":")[0] not in named, key)):
        end = key.partition(":")[2]
        kind, colon, name = end.partition(":")
        known = named.get(kind) if colon else None
        far.append(Node(key, name if known else end, known or _kind_of(end)))
    return [
        *(each for each in far if each.key.startswith("in:")),
        *roles,
        *(each for each in far if each.key.startswith("out:")),
    ]


def _kind_of(end: str) -> str:
    if end[:1].isdigit() and "/" in end:
        return "addresses"
    return "beyond the workspace"


def _label(way: Way) -> str:
    return fitting(way.words if way.declared else f"✕ {way.words}", LABEL_WIDTH, 12, face="mono")


def _head(root: Element, enclave: Enclave, width: float) -> None:
    one = enclave.isolation
    add(root, "text", fitting(one.workspace, width - 240, 22, face="bold"), _class="head", x=MARGIN, y=48)
    said = [f"generation {one.generation}", f"{one.rules} rules", f"{one.ports} ports"]
    if one.quarantined:
        said.insert(0, "in quarantine: nothing passes there")
    if one.proven_at:
        said.append(f"proven {one.proven_at:%Y-%m-%d %H:%M:%S} UTC")
    if one.proof:
        said.append(f"proof {one.proof[7:19]}…")
    add(root, "text", fitting(" · ".join(said), width - 2 * MARGIN), _class="sub quiet", x=MARGIN, y=72)
    badge(root, one.verdict, width - MARGIN, 28)


def badge(root: Element, verdict: str, right: float, y: float) -> None:
    """The verdict as a mark and a word, ending at `right`."""
    text = f"{MARKS[verdict]} {verdict}"
    across = wide(text, face="bold") + 28
    group = add(root, "g")
    add(group, "rect", _class=f"{GROUNDS[verdict]}ground", x=right - across, y=y, width=across, height=28, rx=14)
    add(
        group, "text", text,
        _class=f"name {GROUNDS[verdict]}", x=right - across / 2, y=y + 19, text_anchor="middle",
    )  # fmt: skip


def _frame(root: Element, enclave: Enclave, plan: Plan, body: float) -> None:
    """The workspace around its roles."""
    roles = [box for key, box in plan.boxes.items() if key.startswith("role:")]
    if not roles:
        add(root, "text", "No role has any rule.", _class="quiet", x=MARGIN, y=HEAD + 20)
        return
    x = min(box.x for box in roles) - FRAME_PAD
    across = max(box.x + box.width for box in roles) + FRAME_PAD - x
    add(root, "rect", _class="card", x=x, y=HEAD - 8, width=across, height=body - HEAD + 8, rx=14)
    name = f"workspace {enclave.isolation.workspace}"
    add(root, "text", fitting(name, across - 24, 11), _class="small quiet", x=x + 14, y=HEAD + 12)


def _edge(root: Element, way: Way, label: str, line: Line, *, is_turned: bool) -> None:
    undeclared = "" if way.declared else " undeclared"
    group = add(root, "g")
    add(
        group,
        "title",
        f"{_plain(way.source)} to {_plain(way.target)}: {way.words}"
        + ("" if way.declared else ", which nobody declared"),
    )
    (start_x, start_y), *rest = line.points
    steps = [f"M{start_x + (9 if is_turned else 0):.1f} {start_y:.1f}"]
    x, y = start_x, start_y
    for position, (to_x, to_y) in enumerate(rest):
        end_x = to_x - 9 if position == len(rest) - 1 and not is_turned else to_x
        half = (x + to_x) / 2
        straight = abs(to_y - y) < 0.1
        steps.append(
            f"L{end_x:.1f} {to_y:.1f}"
            if straight
            else f"C{half:.1f} {y:.1f} {half:.1f} {to_y:.1f} {end_x:.1f} {to_y:.1f}"
        )
        x, y = to_x, to_y
    add(group, "path", _class=f"flow{undeclared}", d=" ".join(steps))
    tip = f"M{start_x} {start_y} l10 -5 v10 z" if is_turned else f"M{x} {y} l-10 -5 v10 z"
    add(group, "path", _class=f"tip{undeclared}", d=tip)
    shown = f"← {label}" if is_turned else label
    add(
        group, "text", shown, _class="mono" + ("" if way.declared else " bad"),
        x=line.label_x, y=line.label_y - 6, text_anchor="middle",
    )  # fmt: skip


def _node(root: Element, node: Node, box: Box) -> None:
    group = add(root, "g")
    add(group, "title", f"{node.kind} {node.name}")
    is_role = node.key.startswith("role:")
    add(
        group, "rect", _class="role" if is_role else "card",
        x=box.x, y=box.y, width=box.width, height=box.height, rx=10,
    )  # fmt: skip
    text = box.middle - (19 * len(node.rows)) / 2 - 3
    middle = box.x + box.width / 2
    add(
        group,
        "text",
        fitting(node.name, box.width - 16, face="bold"),
        _class="name",
        x=middle,
        y=text,
        text_anchor="middle",
    )
    add(group, "text", node.kind, _class="small quiet", x=middle, y=text + 17, text_anchor="middle")
    for position, row in enumerate(node.rows):
        add(
            group, "text", fitting(row, box.width - 16, 12, face="mono"),
            _class="mono bad" if row.startswith("✕") else "mono", x=middle, y=text + 38 + 19 * position, text_anchor="middle",
        )  # fmt: skip


def _rows_of_shared(enclave: Enclave, width: float) -> list[list[tuple[str, str, float]]]:
    """Names and words of what every role reaches, in rows that fit."""
    rows: list[list[tuple[str, str, float]]] = []
    left = 0.0
    for way in enclave.shared:
        name, words = fitting(way.target, 240, face="bold"), fitting(way.words, 220, 12, face="mono")
        across = wide(name, face="bold") + wide(words, 12, face="mono") + 40
        if not rows or across > left:
            rows.append([])
            left = width
        rows[-1].append((name, words, across))
        left -= across
    return rows


def _shared(root: Element, rows: list[list[tuple[str, str, float]]], width: float, y: float) -> float:
    height = 40 + 24 * len(rows)
    add(root, "rect", _class="card", x=MARGIN, y=y, width=width - 2 * MARGIN, height=height, rx=10)
    add(root, "text", "Every role may reach", _class="small quiet", x=MARGIN + 16, y=y + 22)
    for number, row in enumerate(rows):
        x, line = MARGIN + 16, y + 46 + 24 * number
        for name, words, across in row:
            add(root, "text", name, _class="name", x=x, y=line)
            add(root, "text", words, _class="mono", x=x + wide(name, face="bold") + 8, y=line)
            x += across
    return y + height + 24


def _legend(root: Element, enclave: Enclave, y: float, left_out: int) -> None:
    x = MARGIN
    # The groups are read as they are: only where isolation is proven is all that they permit declared.
    proven = enclave.isolation.verdict == "isolated"
    permitted = "declared, and nothing else passes" if proven else "permitted by the groups as they are"
    for words, undeclared in ((permitted, ""), ("✕ undeclared, and possible", " undeclared")):
        add(root, "path", _class=f"flow{undeclared}", d=f"M{x} {y + 10} h34")
        add(root, "path", _class=f"tip{undeclared}", d=f"M{x + 44} {y + 10} l-10 -5 v10 z")
        add(root, "text", words, _class="small quiet", x=x + 54, y=y + 14)
        x += 54 + wide(words, 11) + 36
    more = f"{left_out} more ways are in the table only" if left_out else ""
    add(root, "text", f"↻ among the nodes of a role{' · ' + more if more else ''}", _class="small quiet", x=x, y=y + 14)
