"""Pictures of isolation: what is in them, that nothing else can be, and that they stay readable and small."""

import itertools
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.network_policy import Counterexample, IsolationShown, RoleReach, Whose, WorkspaceIsolation
from operator_cli.pictures import content, graph, matrix
from operator_cli.pictures.drawing import DARK, LIGHT, Palette, fitting, wide
from operator_cli.pictures.files import as_html, as_svg
from operator_cli.pictures.geometry import place
from operator_cli.pictures.layers import Edge, arrange

HOSTILE = '</text><script>alert("x")</script>&<!--]]>\'"'
NAMES = {"203.0.113.0/28": "site:jumphosts", "169.254.169.254/32": "metadata service"}
REACH = (
    ("203.0.113.0/28", "role login", "tcp", "22"),
    ("role login", "role compute", "tcp", "22,6817-6819"),
    ("role compute", "role login", "tcp", "6817"),
    ("role compute", "role compute", "tcp", "1024-65535"),
    ("role login", "192.0.2.80/32", "tcp", "3128"),
    ("role login", "169.254.169.254/32", "tcp", "80"),
    ("role compute", "169.254.169.254/32", "tcp", "80"),
)


def reach(*rows: tuple[str, str, str, str]) -> tuple[RoleReach, ...]:
    return tuple(RoleReach(source=a, destination=b, protocol=c, ports=d) for a, b, c, d in rows)


def packet(source: Whose | str, destination: Whose | str) -> Counterexample:
    """Between ports of workspaces, or others by their names."""
    ends = {
        name: {name: f"port of {end.workspace}", f"{name}_of": end} if isinstance(end, Whose) else {name: end}
        for name, end in (("source", source), ("destination", destination))
    }
    return Counterexample(
        **ends["source"], source_address="198.51.100.7", **ends["destination"], destination_address="10.42.0.4",
        protocol="tcp", port=22, rule_ids=("rogue",), why="no flow declares it",
    )  # fmt: skip


def end(workspace: str, role: str | None = None) -> Whose:
    return Whose(workspace=workspace, role=role)


def workspace(name: str = "openhpc", **more: Any) -> WorkspaceIsolation:
    given: dict[str, Any] = {
        "verdict": "isolated", "generation": 1, "proof": "sha256:" + "a" * 64, "groups": 2, "rules": 24, "ports": 6,
        "proven_at": datetime(2026, 11, 21, 10, tzinfo=UTC), "from_outside": "tcp 22", "to_outside": "udp 53",
    }  # fmt: skip
    return WorkspaceIsolation(workspace=name, **{**given, **more})


def answer(*workspaces: WorkspaceIsolation) -> IsolationShown:
    return IsolationShown(workspaces=workspaces, staleness_seconds=72, assumptions=("Neutron's answer is true",))


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}text")]


def titles(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter() if each.tag.endswith("}title")]


def test_one_workspace_is_drawn_with_its_roles_and_flows() -> None:
    svg = as_svg(answer(workspace(reach=reach(*REACH))), "openhpc", NAMES)
    shown = texts(svg)
    for expected in (
        "openhpc",
        "✓ isolated",
        "login",
        "compute",
        "jumphosts",
        "tcp 22,6817-6819",
        "← tcp 6817",
        "↻ tcp 1024-65535",
        "192.0.2.80/32",
    ):
        assert expected in shown, expected
    assert "metadata service" in shown, "what every role may reach is told once"
    assert "role login to role compute: tcp 22,6817-6819" in titles(svg)
    assert not [
        each
        for each in ElementTree.fromstring(svg).iter()
        if "undeclared" in each.get("class", "").split() and each.get("d", "").count("C")
    ]


def test_what_nobody_declared_is_marked_by_a_word_not_by_colour_alone() -> None:
    bad = packet("outside", end("openhpc", "compute"))
    svg = as_svg(answer(workspace(verdict="violated", reach=reach(*REACH), counterexamples=(bad,))), "openhpc", NAMES)
    assert "✕ violated" in texts(svg)
    assert "✕ tcp 22" in texts(svg)
    assert "outside to role compute: tcp 22, which nobody declared" in titles(svg)
    assert "permitted by the groups as they are" in texts(svg)


def test_a_quarantine_is_told() -> None:
    svg = as_svg(answer(workspace(reach=reach(*REACH), quarantined=("role login: 1 port",))), "openhpc", NAMES)
    assert any(each.startswith("in quarantine: nothing passes there") for each in texts(svg))


def test_the_matrix_says_who_reaches_whom() -> None:
    crossing = packet(end("genome", "login"), end("openhpc", "compute"))
    shown = answer(
        workspace(),
        workspace("genome", verdict="violated", counterexamples=(crossing,)),
        workspace("dark", verdict="unknown"),
    )
    said = titles(as_svg(shown, None, {}))
    assert "genome to openhpc: tcp 22, which nobody declared" in said
    assert "openhpc to genome: nothing passes" in said
    assert "outside to openhpc: tcp 22, as declared" in said
    assert "outside to genome: tcp 22, permitted by the groups as they are" in said
    assert {"openhpc: isolated", "genome: violated", "dark: unknown"} <= set(said)
    assert {"✓ 1 isolated", "✕ 1 violated", "? 1 unknown"} <= set(texts(as_svg(shown, None, {})))


def test_a_thousand_workspaces_stay_bounded_and_every_one_is_there() -> None:
    others = [workspace(f"genome-{n}") for n in range(1000)]
    for n in range(100, 140):
        crossing = packet(end(f"genome-{n}", "login"), end(f"genome-{n + 300}", "login"))
        others[n] = workspace(f"genome-{n}", verdict="violated", counterexamples=(crossing,))
    shown = answer(*others)
    svg = as_svg(shown, None, {})
    assert len(svg) < 1_000_000
    assert {f"genome-{n}" for n in range(1000)} <= set(texts(svg))
    told = titles(svg) + [each.removeprefix("✕ ").replace(" → ", " to ") for each in texts(svg)]
    for n in range(100, 140):
        assert any(each.startswith(f"genome-{n} to genome-{n + 300}: tcp 22") for each in told), n
    root = ElementTree.fromstring(svg)
    assert float(root.get("width", "")) < 6000
    assert len(as_html(shown, None, {})) < 2_000_000


def test_a_workspace_with_everything_stays_bounded() -> None:
    roles = [f"role-{n}" for n in range(32)]
    rows = [(f"role {a}", f"role {b}", "tcp", "1-65535") for a, b in itertools.permutations(roles, 2)]
    one = workspace(reach=reach(*rows), counterexamples=(packet("outside", end("openhpc", "role-3")),))
    svg = as_svg(answer(one), "openhpc", {})
    assert len(svg) < 1_000_000
    assert "outside to role role-3: tcp 22, which nobody declared" in titles(svg), "the undeclared come before all"
    assert any("more ways are in the table only" in each for each in texts(svg))
    assert as_html(answer(one), "openhpc", {}).count("<tr>") > len(rows)


class Checked(HTMLParser):
    """Well-formed: every element is closed in order; remembers tags, attributes and text."""

    VOID = frozenset({"meta", "br", "link", "img", "input", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("of", ["openhpc", None])
def test_no_name_can_be_markup(of: str | None) -> None:
    hostile = workspace(
        verdict="violated",
        from_outside=HOSTILE[:200],
        quarantined=(HOSTILE,),
        reach=reach((HOSTILE, "role login", "tcp", HOSTILE), ("role login", f"group {HOSTILE}", HOSTILE[:20], "1")),
        counterexamples=(packet(HOSTILE, end(HOSTILE)), packet(HOSTILE, end("openhpc", "login"))),
    )
    names = {HOSTILE: f"site:{HOSTILE}"}
    svg, page = as_svg(answer(hostile), of, names), as_html(answer(hostile), of, names)
    tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(svg).iter()}
    assert tags <= {"svg", "title", "desc", "style", "rect", "g", "path", "text"}
    checked = Checked(page)
    assert not {"script", "img", "iframe", "object", "link"} & {tag for tag, _ in checked.seen}
    assert not [name for _, attributes in checked.seen for name in attributes if name.startswith("on")]
    if of:
        assert any(HOSTILE in words for words in checked.words), "it is shown as what it is"
    policy = next(given for tag, given in checked.seen if given.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in str(policy["content"])


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_makes_a_picture_that_parses(name: str, words: str) -> None:
    one = workspace().model_copy(
        update={"reach": reach(("role login", "x", "tcp", "1")), "workspace": name, "from_outside": words}
    )
    drawn = content.Enclave(one, (name,), (content.Way("role:" + name, words, words, True),), (), ())
    from operator_cli.pictures.drawing import to_svg

    ElementTree.fromstring(to_svg(graph.draw(drawn)))
    ElementTree.fromstring(to_svg(matrix.draw(content.estate(answer(one)))))


def test_the_pages_can_be_read_without_seeing_and_without_a_mouse() -> None:
    for of in ("openhpc", None):
        page = Checked(as_html(answer(workspace(reach=reach(*REACH))), of, NAMES))
        assert ("html", {"lang": "en"}) in page.seen
        assert [tag for tag, _ in page.seen].count("h1") == 1
        regions = [given for _, given in page.seen if given.get("role") == "region"]
        assert regions
        assert all(given.get("tabindex") == "0" and given.get("aria-label") for given in regions)
        assert all(given.get("scope") for tag, given in page.seen if tag == "th")
        svg = next(given for tag, given in page.seen if tag == "svg")
        assert (svg["role"], svg["aria-labelledby"]) == ("img", "picture-title picture-description")
        ids = [given["id"] for _, given in page.seen if given.get("id")]
        assert len(ids) == len(set(ids))
    assert "login" in graph.describe(content.enclave(workspace(reach=reach(*REACH)), NAMES))


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_its_ground(palette: Palette) -> None:
    """WCAG 2.2, 1.4.3."""
    pairs = [
        (palette.text, palette.ground), (palette.text, palette.card), (palette.text, palette.role),
        (palette.quiet, palette.ground), (palette.quiet, palette.card), (palette.quiet, palette.role),
        (palette.good, palette.good_ground), (palette.bad, palette.bad_ground), (palette.warn, palette.warn_ground),
        (palette.bad, palette.ground), (palette.bad, palette.role), (palette.good, palette.ground),
        (palette.warn, palette.ground), (palette.bad, palette.card),
    ]  # fmt: skip
    for ink, ground in pairs:
        assert contrast(ink, ground) >= 4.5, (ink, ground)


def test_the_same_answer_makes_the_same_bytes() -> None:
    rows = reach(*REACH)
    first = as_svg(answer(workspace(reach=rows)), "openhpc", NAMES)
    assert first == as_svg(answer(workspace(reach=tuple(reversed(rows)))), "openhpc", NAMES)


graphs = st.integers(1, 9).flatmap(
    lambda count: st.tuples(
        st.just([f"n{n}" for n in range(count)]),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=24, unique=True),
    )
)


@settings(max_examples=200, deadline=None)
@given(graphs)
def test_every_graph_is_laid_out_without_overlap(made: tuple[list[str], list[tuple[int, int]]]) -> None:
    nodes, pairs = made
    edges = [Edge(nodes[a], nodes[b]) for a, b in pairs if a != b]
    layering = arrange(nodes, edges)
    depth = {slot: number for number, layer in enumerate(layering.layers) for slot in layer}
    assert sorted(slot.node for slot in depth if slot.gap_of is None) == sorted(nodes)
    for edge, route in layering.routes.items():
        assert [depth[slot] for slot in route] == list(range(depth[route[0]], depth[route[-1]] + 1))
        ends = (route[0].node, route[-1].node)
        assert ends == ((edge.target, edge.source) if edge in layering.reversed_edges else (edge.source, edge.target))
    plan = place(layering, dict.fromkeys(nodes, (120.0, 52.0)), dict.fromkeys(edges, 60.0), 10.0, 10.0)
    for one, other in itertools.combinations(plan.boxes.values(), 2):
        apart = one.x + one.width <= other.x or other.x + other.width <= one.x
        assert apart or one.y + one.height <= other.y + 0.01 or other.y + other.height <= one.y + 0.01
    spots = [(round(line.label_x), round(line.label_y)) for line in plan.lines.values()]
    assert len(set(spots)) == len(spots), "no two labels at the same place"
    for box in plan.boxes.values():
        assert box.y >= 9.99


def test_words_that_are_too_wide_are_cut() -> None:
    assert fitting("a" * 200, 100).endswith("…")
    assert wide(fitting("漢" * 200, 100)) <= 100
    assert fitting("login", 100) == "login"
