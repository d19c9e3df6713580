"""Where the nodes of a directed graph stand: in layers from left to right, the same for the same graph each time.

The usual steps: break cycles, give each node the layer after its farthest predecessor, let an edge that crosses layers
pass through a gap in each, order every layer by the mean position of its neighbours so that few edges cross.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SWEEPS = 8


@dataclass(frozen=True)
class Edge:
    """From one node to another, by name; `number` tells apart what is otherwise alike."""

    source: str
    target: str
    number: int = 0


@dataclass(frozen=True)
class Slot:
    """A place in a layer: a node's, or the gap through which an edge passes."""

    node: str
    gap_of: Edge | None = None


@dataclass(frozen=True)
class Layering:
    """The layers from left to right, each from top to bottom, and the way of every edge through them."""

    layers: tuple[tuple[Slot, ...], ...]
    routes: Mapping[Edge, tuple[Slot, ...]]
    """From the slot on the left to the one on the right, whichever of them is the source."""
    reversed_edges: frozenset[Edge]
    """Those that run from right to left."""


@dataclass
class _Graph:
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    forward: dict[Edge, tuple[str, str]] = field(default_factory=dict)
    """Each edge's ends, turned so that no cycle is left."""


def arrange(
    nodes: Sequence[str], edges: Sequence[Edge], first: Sequence[str] = (), last: Sequence[str] = ()
) -> Layering:
    """Layers for the graph. `first`: nodes of a layer before all others; `last`: of one behind. No edge joins a node
    to itself, none goes to a first or from a last node."""
    graph = _Graph(tuple(nodes), tuple(edges))
    _break_cycles(graph)
    rank = _ranks(graph, frozenset(first), frozenset(last))
    layers: list[list[Slot]] = [[] for _ in range(max(rank.values(), default=0) + 1)]
    for node in graph.nodes:
        layers[rank[node]].append(Slot(node))
    routes: dict[Edge, tuple[Slot, ...]] = {}
    for edge in graph.edges:
        left, right = graph.forward[edge]
        gaps = [Slot(f"{left}>{right} {depth}", edge) for depth in range(rank[left] + 1, rank[right])]
        for depth, gap in enumerate(gaps, rank[left] + 1):
            layers[depth].append(gap)
        routes[edge] = (Slot(left), *gaps, Slot(right))
    _order(layers, routes)
    turned = frozenset(edge for edge in graph.edges if graph.forward[edge] != (edge.source, edge.target))
    return Layering(tuple(tuple(layer) for layer in layers), routes, turned)


def _break_cycles(graph: _Graph) -> None:
    """Turn round the edges that lead back to where a depth-first walk comes from; the walk keeps the nodes' order."""
    following: dict[str, list[Edge]] = {node: [] for node in graph.nodes}
    for edge in graph.edges:
        following[edge.source].append(edge)
    on_the_way: set[str] = set()
    done: set[str] = set()
    turned: set[Edge] = set()
    for root in graph.nodes:
        walk = [(root, iter(following[root]))] if root not in done else []
        on_the_way.update(node for node, _ in walk)
        while walk:
            node, left = walk[-1]
            onwards = next(left, None)
            if onwards is None:
                walk.pop()
                on_the_way.discard(node)
                done.add(node)
            elif onwards.target in on_the_way:
                turned.add(onwards)
            elif onwards.target not in done:
                on_the_way.add(onwards.target)
                walk.append((onwards.target, iter(following[onwards.target])))
    graph.forward = {
        edge: (edge.target, edge.source) if edge in turned else (edge.source, edge.target) for edge in graph.edges
    }


def _ranks(graph: _Graph, first: frozenset[str], last: frozenset[str]) -> dict[str, int]:
    start = 1 if first else 0
    rank = {node: 0 if node in first else start for node in graph.nodes}
    for _ in graph.nodes:
        moved = False
        for left, right in graph.forward.values():
            if right not in last and rank[right] <= rank[left]:
                rank[right] = rank[left] + 1
                moved = True
        if not moved:
            break
    behind = max((rank[node] for node in graph.nodes if node not in last), default=start - 1) + 1
    return rank | dict.fromkeys(last & set(graph.nodes), behind)


def _order(layers: list[list[Slot]], routes: Mapping[Edge, tuple[Slot, ...]]) -> None:
    beside: dict[int, dict[Slot, list[Slot]]] = {1: {}, -1: {}}
    for route in routes.values():
        for left, right in itertools.pairwise(route):
            beside[1].setdefault(left, []).append(right)
            beside[-1].setdefault(right, []).append(left)
    for sweep in range(SWEEPS):
        to_right = sweep % 2 == 0
        order = range(1, len(layers)) if to_right else range(len(layers) - 2, -1, -1)
        for depth in order:
            fixed = layers[depth - 1 if to_right else depth + 1]
            place = {slot: position for position, slot in enumerate(fixed)}
            neighbours = beside[-1 if to_right else 1]
            before = {slot: position for position, slot in enumerate(layers[depth])}
            scale = len(fixed) / max(1, len(layers[depth]))
            layers[depth].sort(key=lambda slot: (_mean(slot, neighbours, place, before[slot] * scale), before[slot]))


def _mean(slot: Slot, neighbours: Mapping[Slot, list[Slot]], place: Mapping[Slot, int], otherwise: float) -> float:
    seen = [place[each] for each in neighbours.get(slot, ()) if each in place]
    return sum(seen) / len(seen) if seen else otherwise
