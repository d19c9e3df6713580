"""A thread that calculates gives way while something is urgent, and only then."""

import time

import pytest

from shared.turns import REST_SECONDS, TURN_SECONDS, Turns


class Ticking:
    """A clock on which each look at it takes some time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic_seconds(self) -> float:
        self.seconds += TURN_SECONDS / 4
        return self.seconds


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_nothing_urgent_nothing_waits(rests: list[float]) -> None:
    turns = Turns(Ticking(), lambda: False)  # type: ignore[arg-type]
    for _ in range(100):
        turns.give_way()
    assert rests == []


def test_while_something_is_urgent_it_rests_after_each_turn_and_no_oftener(rests: list[float]) -> None:
    clock = Ticking()
    turns = Turns(clock, lambda: True)  # type: ignore[arg-type]
    for _ in range(100):
        turns.give_way()
    assert set(rests) == {REST_SECONDS}
    assert clock.seconds / (2 * TURN_SECONDS) < len(rests) <= clock.seconds / TURN_SECONDS
