"""From layers to pixels: how tall and where each node is, and through which points each edge runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from operator_cli.pictures.layers import Edge, Layering, Slot

PITCH = 28.0
"""Between two edges at the same node: a line of text fits above each."""
GAP_BETWEEN_NODES = 28.0
GAP_BESIDE_A_NODE = 14.0
GAP_BETWEEN_LINES = 2.0
SWEEPS = 12
CURVE = 76.0
"""How wide the part of a channel is in which edges change their height."""
LABEL_PAD = 28.0


@dataclass(frozen=True)
class Box:
    """Where a node stands."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """Its height above the ground, halfway up."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Line:
    """An edge from left to right: points, each pair joined straight or (where heights differ) by a curve, and where its
    words stand."""

    points: tuple[tuple[float, float], ...]
    label_x: float
    label_y: float


@dataclass(frozen=True)
class Plan:
    """The whole drawing."""

    boxes: Mapping[str, Box]
    lines: Mapping[Edge, Line]
    columns: tuple[tuple[float, float], ...]
    """Left side and width of each layer."""
    height: float


def place(
    layering: Layering,
    sizes: Mapping[str, tuple[float, float]],
    labels: Mapping[Edge, float],
    left: float,
    top: float,
) -> Plan:
    """Pixels for the layers. `sizes`: least width and height of each node; `labels`: how wide each edge's words are."""
    sides = _sides(layering)
    columns = _columns(layering, sizes, labels, left)
    tall = {slot: _tall(slot, sizes, sides) for layer in layering.layers for slot in layer}
    spots = _spots(layering, columns, tall, top)
    height = max((box.y + box.height for box in spots.values()), default=top) - top
    ports = _ports(layering, sides, spots)
    lines = {edge: _line(edge, route, ports, spots, labels[edge]) for edge, route in layering.routes.items()}
    boxes = {slot.node: box for slot, box in spots.items() if slot.gap_of is None}
    return Plan(boxes, lines, columns, height)


def _spots(
    layering: Layering, columns: tuple[tuple[float, float], ...], tall: Mapping[Slot, float], top: float
) -> dict[Slot, Box]:
    """Heights at which lines run as straight as the order in the layers lets them."""
    beside: dict[Slot, list[Slot]] = {}
    for route in layering.routes.values():
        for near, far in pairwise(route):
            beside.setdefault(near, []).append(far)
            beside.setdefault(far, []).append(near)
    middle: dict[Slot, float] = {}
    for layer in layering.layers:
        middle |= _stacked(layer, tall, {})
    for sweep in range(SWEEPS):
        for layer in layering.layers if sweep % 2 == 0 else reversed(layering.layers):
            wanted = {
                slot: sum(map(middle.__getitem__, beside[slot])) / len(beside[slot]) for slot in layer if slot in beside
            }
            middle |= _stacked(layer, tall, {slot: wanted.get(slot, middle[slot]) for slot in layer})
    highest = min((middle[slot] - tall[slot] / 2 for slot in middle), default=0.0)
    return {
        slot: Box(columns[depth][0], middle[slot] - tall[slot] / 2 - highest + top, columns[depth][1], tall[slot])
        for depth, layer in enumerate(layering.layers)
        for slot in layer
    }


def _stacked(layer: Sequence[Slot], tall: Mapping[Slot, float], wanted: Mapping[Slot, float]) -> dict[Slot, float]:
    """Middles as near to those wanted as can be without overlap: least squares in a fixed order, by pooling neighbours."""
    offsets: list[float] = []
    for position, slot in enumerate(layer):
        before = layer[position - 1] if position else None
        offsets.append(0.0 if before is None else offsets[-1] + (tall[before] + tall[slot]) / 2 + _gap(before, slot))
    pools: list[tuple[float, int]] = []
    for slot, offset in zip(layer, offsets, strict=True):
        mean, count = wanted.get(slot, 0.0) - offset, 1
        while pools and pools[-1][0] > mean:
            other, others = pools.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        pools.append((mean, count))
    shifts = [mean for mean, count in pools for _ in range(count)]
    return {slot: offset + shift for slot, offset, shift in zip(layer, offsets, shifts, strict=True)}


def _gap(before: Slot, after: Slot) -> float:
    lines = (before.gap_of is not None) + (after.gap_of is not None)
    return (GAP_BETWEEN_NODES, GAP_BESIDE_A_NODE, GAP_BETWEEN_LINES)[lines]


def _sides(layering: Layering) -> dict[tuple[Slot, str], list[tuple[Edge, Slot]]]:
    """The edges at each side of each slot, with the slot at their other end there."""
    found: dict[tuple[Slot, str], list[tuple[Edge, Slot]]] = {}
    for edge, route in layering.routes.items():
        for near, far in pairwise(route):
            found.setdefault((near, "right"), []).append((edge, far))
            found.setdefault((far, "left"), []).append((edge, near))
    return found


def _tall(
    slot: Slot, sizes: Mapping[str, tuple[float, float]], sides: Mapping[tuple[Slot, str], list[tuple[Edge, Slot]]]
) -> float:
    if slot.gap_of is not None:
        return PITCH
    most = max(len(sides.get((slot, side), ())) for side in ("left", "right"))
    return max(sizes[slot.node][1], most * PITCH + 8)


def _columns(
    layering: Layering, sizes: Mapping[str, tuple[float, float]], labels: Mapping[Edge, float], left: float
) -> tuple[tuple[float, float], ...]:
    columns: list[tuple[float, float]] = []
    x = left
    for depth, layer in enumerate(layering.layers):
        width = max((sizes[slot.node][0] for slot in layer if slot.gap_of is None), default=0.0)
        columns.append((x, width))
        ending = [
            labels[edge]
            for edge, route in layering.routes.items()
            if depth + 1 < len(layering.layers) and route[-1] in layering.layers[depth + 1]
        ]
        x += width + CURVE + max(ending, default=0.0) + 2 * LABEL_PAD
    return tuple(columns)


def _ports(
    layering: Layering, sides: Mapping[tuple[Slot, str], list[tuple[Edge, Slot]]], spots: Mapping[Slot, Box]
) -> dict[tuple[Slot, str, Edge], float]:
    """The height at which each edge meets each slot: in the order of what is at the other end."""
    found: dict[tuple[Slot, str, Edge], float] = {}
    for (slot, side), edges in sides.items():
        ordered = sorted(
            edges, key=lambda each: (spots[each[1]].middle, each[0].source, each[0].target, each[0].number)
        )
        start = spots[slot].middle - (len(ordered) - 1) * PITCH / 2
        for position, (edge, _) in enumerate(ordered):
            found[slot, side, edge] = start + position * PITCH
    return found


def _line(
    edge: Edge,
    route: tuple[Slot, ...],
    ports: Mapping[tuple[Slot, str, Edge], float],
    spots: Mapping[Slot, Box],
    label: float,
) -> Line:
    points: list[tuple[float, float]] = []
    for near, far in pairwise(route):
        right = spots[near].x + spots[near].width
        points.append((right, ports[near, "right", edge]))
        points.append((right + CURVE, ports[far, "left", edge]))
        points.append((spots[far].x, ports[far, "left", edge]))
    end_x, end_y = points[-1]
    return Line(tuple(points), end_x - LABEL_PAD - label / 2, end_y)
