"""The cheapest choice of sets that covers everything: exact where a bounded search ends, else greedy without a surplus."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_STEPS = 20_000
"""Of the exact search, over all independent parts of one question."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Positions of the chosen sets; `exact` when no cheaper choice exists."""

    chosen: tuple[int, ...]
    exact: bool


def cheapest_cover(sets: Sequence[int], costs: Sequence[int], universe: int) -> Choice:
    """Sets are bit masks of what they cover; every bit of the universe is in one of them at least."""
    chosen: list[int] = []
    usable = [position for position, members in enumerate(sets) if members & universe]
    left = universe
    reduced = True
    while reduced and left:
        reduced = False
        usable = _undominated(usable, sets, costs, left)
        for position in _essential(usable, sets, left):
            chosen.append(position)
            left &= ~sets[position]
            reduced = True
    exact = True
    steps = MAX_STEPS
    for part, own in _parts(usable, sets, left):
        search = _Search([sets[position] for position in own], [costs[position] for position in own], steps)
        chosen += [own[position] for position in search.run(part)]
        exact = exact and search.steps > 0
        steps = max(search.steps, MAX_STEPS // 50)
    return Choice(tuple(sorted(chosen)), exact)


def _undominated(usable: list[int], sets: Sequence[int], costs: Sequence[int], left: int) -> list[int]:
    """Without the sets that another one replaces at no higher cost."""
    kept: list[int] = []
    for position in sorted(usable, key=lambda each: (-(sets[each] & left).bit_count(), costs[each], each)):
        members = sets[position] & left
        if members and not any(members & ~sets[other] == 0 and costs[other] <= costs[position] for other in kept):
            kept.append(position)
    return sorted(kept)


def _essential(usable: list[int], sets: Sequence[int], left: int) -> list[int]:
    """The sets that alone cover something."""
    once = twice = 0
    for position in usable:
        members = sets[position] & left
        twice |= once & members
        once |= members
    alone = once & ~twice
    return [position for position in usable if sets[position] & alone]


def _parts(usable: list[int], sets: Sequence[int], left: int) -> list[tuple[int, list[int]]]:
    """What is left, split where no set joins it."""
    parts: list[tuple[int, list[int]]] = []
    for position in usable:
        members, own = sets[position] & left, [position]
        if not members:
            continue
        apart: list[tuple[int, list[int]]] = []
        for other_members, other in parts:
            if other_members & members:
                members |= other_members
                own = other + own
            else:
                apart.append((other_members, other))
        parts = [*apart, (members, own)]
    return parts


class _Search:
    """Branch and bound over one part. `steps` is what is left of them: none, and the answer may not be the cheapest."""

    def __init__(self, sets: list[int], costs: list[int], steps: int) -> None:
        self.sets = sets
        self.costs = costs
        self.steps = steps
        self.best: list[int] = []
        self.best_cost = 0

    def run(self, universe: int) -> list[int]:
        self.best = self._greedy(universe)
        self.best_cost = sum(self.costs[position] for position in self.best)
        self._branch(universe, [], 0)
        return self.best

    def _greedy(self, universe: int) -> list[int]:
        chosen: list[int] = []
        left = universe
        while left:
            best = max(
                range(len(self.sets)),
                key=lambda each: ((self.sets[each] & left).bit_count() / self.costs[each], -each),
            )
            chosen.append(best)
            left &= ~self.sets[best]
        for position in sorted(chosen, key=lambda each: self.sets[each].bit_count()):
            others = 0
            for other in chosen:
                if other != position:
                    others |= self.sets[other]
            if universe & ~others == 0:
                chosen.remove(position)
        return chosen

    def _branch(self, left: int, chosen: list[int], cost: int) -> None:
        if not left:
            if cost < self.best_cost:
                self.best, self.best_cost = list(chosen), cost
            return
        if self.steps <= 0:
            return
        self.steps -= 1
        options, at_least = self._bound(left)
        if cost + at_least >= self.best_cost:
            return
        for position in sorted(options, key=lambda each: -(self.sets[each] & left).bit_count()):
            self._branch(left & ~self.sets[position], [*chosen, position], cost + self.costs[position])

    def _bound(self, left: int) -> tuple[list[int], int]:
        """The sets that cover what fewest sets cover, and what the rest costs at least: elements that share no set."""
        at_least = 0
        fewest: list[int] = []
        rest = left
        while rest:
            element = rest & -rest
            covering = [position for position, members in enumerate(self.sets) if members & element]
            if not fewest or len(covering) < len(fewest):
                fewest = covering
            at_least += min(self.costs[position] for position in covering)
            for position in covering:
                rest &= ~self.sets[position]
            rest &= ~element
        return fewest, at_least
