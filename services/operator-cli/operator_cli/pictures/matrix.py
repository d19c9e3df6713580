"""Who reaches whom: rows send, columns receive; workspaces that reach nobody are listed rather than drawn."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from contracts.network_policy import WorkspaceIsolation
from operator_cli.pictures.content import MARKS, OTHERS, OUTSIDE, Estate, Way
from operator_cli.pictures.drawing import add, fitting, picture, wide

MAX_DRAWN = 24
"""Rows of a matrix that can still be read; further workspaces with a way are told in a list of ways."""
MAX_TOLD = 200
"""Ways that are told one by one."""
MARGIN = 36.0
HEAD = 104.0
ROW = 40.0
CELL = 132.0
CELL_OUTSIDE = 230.0
NAME_WIDTH = 190.0
LIST_COLUMN = 430.0
LIST_ROW = 24.0
GROUNDS = {"isolated": "good", "violated": "bad", "unknown": "warn"}
COUNTED = ("isolated", "violated", "unknown")


def drawn_ends(estate: Estate) -> tuple[str, ...]:
    """The rows of the matrix: what lies outside, and the workspaces, all when they are few, else those with a way."""
    names = [one.workspace for one in estate.workspaces]
    shown = names if len(names) <= MAX_DRAWN else list(estate.notable[:MAX_DRAWN])
    others = [OTHERS] if any(OTHERS in (way.source, way.target) for way in estate.ways) else []
    return (OUTSIDE, *others, *shown) if shown else ()


def untold_ways(estate: Estate) -> tuple[Way, ...]:
    """Undeclared ways, and ways between workspaces, that the matrix has no room for."""
    ends = set(drawn_ends(estate))
    return tuple(
        way
        for way in estate.ways
        if not (way.source in ends and way.target in ends)
        and (not way.declared or OUTSIDE not in (way.source, way.target))
    )


def draw(estate: Estate) -> Element:
    """The picture of all workspaces."""
    ends = drawn_ends(estate)
    listed = [one for one in estate.workspaces if one.workspace not in ends]
    untold = untold_ways(estate)
    width = max(2 * MARGIN + 2 * LIST_COLUMN, 2 * MARGIN + NAME_WIDTH + CELL_OUTSIDE + CELL * (len(ends) - 1) + 20)
    columns = int((width - 2 * MARGIN) // LIST_COLUMN)
    rows = -(-len(listed) // columns)
    y = HEAD
    matrix_height = 44 + ROW * len(ends) + 24 if ends else 0.0
    untold_height = 34 + LIST_ROW * (min(len(untold), MAX_TOLD) + (len(untold) > MAX_TOLD)) + 12 if untold else 0.0
    list_height = 34 + LIST_ROW * rows + 12 if listed else 0.0
    root = picture(
        width, y + matrix_height + untold_height + list_height + 56, "Isolation of all workspaces", describe(estate)
    )
    _head(root, estate, width)
    if ends:
        _matrix(root, estate, ends, y)
        y += matrix_height
    if untold:
        y = _ways(root, untold, width, y)
    if listed:
        _list(root, listed, columns, y)
        y += list_height
    _legend(root, y + 18)
    return root


def describe(estate: Estate) -> str:
    """The picture in words, for who can't see it."""
    said = [", ".join(f"{count} {verdict}" for verdict, count in _counts(estate)) or "There is no workspace"]
    undeclared = [way for way in estate.ways if not way.declared]
    said += [
        f"{way.source} may send {way.words} to {way.target}, though nobody declared it" for way in undeclared[:MAX_TOLD]
    ]
    if not undeclared:
        said.append("Nothing passes that nobody declared")
    return ". ".join(said) + "."


def _counts(estate: Estate) -> list[tuple[str, int]]:
    counted = ((verdict, sum(one.verdict == verdict for one in estate.workspaces)) for verdict in COUNTED)
    return [(verdict, count) for verdict, count in counted if count]


def _head(root: Element, estate: Estate, width: float) -> None:
    total = len(estate.workspaces)
    add(root, "text", f"{total} workspace{'' if total == 1 else 's'}", _class="head", x=MARGIN, y=48)
    crossing = sum(not way.declared for way in estate.ways)
    said = (
        f"{crossing} way{'' if crossing == 1 else 's'} that nobody declared"
        if crossing
        else "nothing passes that nobody declared"
    )
    add(root, "text", said, _class="sub quiet", x=MARGIN, y=72)
    right = width - MARGIN
    for verdict, count in reversed(_counts(estate)):
        text = f"{MARKS[verdict]} {count} {verdict}"
        across = wide(text, face="bold") + 28
        add(root, "rect", _class=f"{GROUNDS[verdict]}ground", x=right - across, y=28, width=across, height=28, rx=14)
        add(
            root, "text", text,
            _class=f"name {GROUNDS[verdict]}", x=right - across / 2, y=47, text_anchor="middle",
        )  # fmt: skip
        right -= across + 10


def _matrix(root: Element, estate: Estate, ends: tuple[str, ...], top: float) -> None:
    verdicts = {one.workspace: one.verdict for one in estate.workspaces}
    left = MARGIN + NAME_WIDTH
    add(root, "text", "from ↓   to →", _class="small quiet", x=MARGIN, y=top + 28)
    for column, end in enumerate(ends):
        x, across = _column(column, left)
        middle = x + across / 2
        add(
            root, "text", fitting(end, across - 12, face="bold"),
            _class="name" if end in verdicts else "quiet", x=middle, y=top + 28, text_anchor="middle",
        )  # fmt: skip
    for row, source in enumerate(ends):
        y = top + 44 + ROW * row
        add(
            root, "text", fitting(source, NAME_WIDTH - 14, face="bold"),
            _class="name" if source in verdicts else "quiet", x=MARGIN, y=y + ROW / 2 + 5,
        )  # fmt: skip
        for column, target in enumerate(ends):
            told = [verdicts[end] for end in (source, target) if end in verdicts]
            _cell(root, estate, source, target, told, *_column(column, left), y)


def _column(number: int, left: float) -> tuple[float, float]:
    """Left side and width; the first one is what lies outside, of which there is more to say."""
    return (left + CELL_OUTSIDE + CELL * (number - 1), CELL) if number else (left, CELL_OUTSIDE)


def _cell(
    root: Element, estate: Estate, source: str, target: str, verdicts: Sequence[str], x: float, across: float, y: float
) -> None:
    group = add(root, "g")
    ways = estate.between(source, target)
    undeclared = [way for way in ways if not way.declared]
    words = "; ".join(way.words for way in undeclared or ways)
    if source == target and verdicts and not undeclared:
        ground, ink, text = f"{GROUNDS[verdicts[0]]}ground", GROUNDS[verdicts[0]], f"{MARKS[verdicts[0]]} {verdicts[0]}"
        said = f"{source}: {verdicts[0]}"
    elif undeclared:
        ground, ink, text = "badground", "bad", f"✕ {words}"
        said = f"{source} to {target}: {words}, which nobody declared"
    elif ways:
        proven = all(each == "isolated" for each in verdicts)
        ground, ink, text = "card", "", f"✓ {words}" if proven else words
        said = f"{source} to {target}: {words}, {'as declared' if proven else 'permitted by the groups as they are'}"
    else:
        ground, ink, text = "frame", "quiet", "" if source == target else "–"
        said = f"{source} to {target}: nothing passes" if source != target else source
    add(group, "title", said)
    add(group, "rect", _class=ground, x=x + 3, y=y + 3, width=across - 6, height=ROW - 6, rx=7)
    add(
        group, "text", fitting(text, across - 18, 12),
        _class=f"small {ink}".strip(), x=x + across / 2, y=y + ROW / 2 + 4, text_anchor="middle",
    )  # fmt: skip


def _ways(root: Element, untold: tuple[Way, ...], width: float, y: float) -> float:
    add(root, "text", "Further ways", _class="name", x=MARGIN, y=y + 20)
    y += 34
    for way in untold[:MAX_TOLD]:
        text = f"{'–' if way.declared else '✕'} {way.source} → {way.target}: {way.words}"
        add(root, "text", fitting(text, width - 2 * MARGIN), _class="" if way.declared else "bad", x=MARGIN, y=y + 14)
        y += LIST_ROW
    if len(untold) > MAX_TOLD:
        add(root, "text", f"and {len(untold) - MAX_TOLD} more", _class="bad", x=MARGIN, y=y + 14)
        y += LIST_ROW
    return y + 12


def _list(root: Element, listed: list[WorkspaceIsolation], columns: int, y: float) -> None:
    alone = all(one.verdict == "isolated" for one in listed)
    title = "Isolated from each other and from these" if alone else "Further workspaces"
    add(root, "text", title, _class="name", x=MARGIN, y=y + 20)
    y += 34
    rows = -(-len(listed) // columns)
    for number, one in enumerate(listed):
        column, row = divmod(number, rows)
        x, line = MARGIN + LIST_COLUMN * column, y + LIST_ROW * row + 14
        add(root, "text", MARKS[one.verdict], _class=GROUNDS[one.verdict], x=x, y=line)
        add(root, "text", fitting(one.workspace, 170), x=x + 20, y=line)
        ways = ", ".join(
            f"{arrow} {words}" for arrow, words in (("in", one.from_outside), ("out", one.to_outside)) if words
        )
        add(root, "text", fitting(ways, LIST_COLUMN - 216, 11), _class="small quiet", x=x + 200, y=line)


def _legend(root: Element, y: float) -> None:
    x = MARGIN
    for mark, words, ink in (
        ("✓", "isolated, or as declared", "good"),
        ("✕", "possible, and nobody declared it", "bad"),
        ("?", "not known", "warn"),
        ("–", "nothing passes", "quiet"),
    ):
        add(root, "text", mark, _class=f"name {ink}", x=x, y=y + 10)
        add(root, "text", words, _class="small quiet", x=x + 18, y=y + 10)
        x += 18 + wide(words, 11) + 34
