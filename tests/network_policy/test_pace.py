"""The slots of the looks that confirm what was repaired at once."""

from datetime import UTC, datetime, timedelta

from network_policy.handlers.pace import (
    CALM_LOOKS_PER_SECOND,
    GATHER_SECONDS,
    LATEST_SECONDS,
    LIVELY_SECONDS,
    LOOKS_PER_SECOND,
    QUIET_SECONDS,
    SOON_SECONDS,
    Pace,
)

NOW = datetime(2026, 3, 3, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_one_repair_is_confirmed_soon() -> None:
    pace = Pace()
    assert pace.reserve("w", NOW) == SOON_SECONDS
    assert 0 < pace.seconds_left("w", after(0.2)) < SOON_SECONDS
    assert pace.seconds_left("w", after(SOON_SECONDS)) == 0.0


def test_a_look_waits_for_more_repairs_but_not_for_ever() -> None:
    pace = Pace()
    pace.reserve("w", NOW)
    for tenth in range(1, int(10 * GATHER_SECONDS)):
        left = pace.reserve(f"v{tenth % 3}", after(tenth / 10))
        assert left <= QUIET_SECONDS
        if tenth / 10 + QUIET_SECONDS < GATHER_SECONDS:
            assert pace.seconds_left("w", after(tenth / 10)) == QUIET_SECONDS
    assert pace.seconds_left("w", after(GATHER_SECONDS)) == 0.0


def test_a_repair_during_a_look_is_for_the_next_one() -> None:
    pace = Pace()
    pace.reserve("w", NOW)
    pace.begin("w")
    assert pace.reserve("w", after(1)) == SOON_SECONDS


def test_a_storm_over_many_is_looked_at_at_an_even_rate_and_not_too_late() -> None:
    pace = Pace()
    keys = [f"w{number}" for number in range(200)]
    for key in keys:
        pace.reserve(key, NOW)
    left = [pace.seconds_left(key, after(SOON_SECONDS)) for key in keys]
    assert left[:3] == [number / LOOKS_PER_SECOND for number in range(3)]
    assert max(left) == LATEST_SECONDS - SOON_SECONDS
    assert [pace.seconds_left(key, after(SOON_SECONDS)) for key in keys] == left


def test_when_the_repairs_have_ended_those_that_wait_get_earlier_places() -> None:
    pace = Pace()
    keys = [f"w{number}" for number in range(10)]
    for key in keys:
        pace.reserve(key, NOW)
    given = [pace.seconds_left(key, after(SOON_SECONDS)) for key in keys]
    calm = LIVELY_SECONDS + SOON_SECONDS
    left = [pace.seconds_left(key, after(calm)) for key in keys]
    assert left[:2] == [0.0, 0.0], "their places have come"
    assert left[2:] == [number / CALM_LOOKS_PER_SECOND for number in range(2, 10)]
    assert max(left) < max(given) - LIVELY_SECONDS
    assert [pace.seconds_left(key, after(calm)) for key in keys] == left, "and these stay"


def test_a_place_that_was_given_stays() -> None:
    pace = Pace()
    for key in ("v", "w"):
        pace.reserve(key, NOW)
    for key in ("v", "w"):
        pace.seconds_left(key, after(SOON_SECONDS))
    assert pace.reserve("w", after(SOON_SECONDS)) == 1 / LOOKS_PER_SECOND


def test_more_to_look_at_waits_for_no_slot() -> None:
    pace = Pace()
    pace.reserve("w", NOW)
    pace.hurry("w")
    assert pace.seconds_left("w", NOW) == 0.0
    assert pace.reserve("w", NOW) == 0.0
    assert pace.seconds_left("w", NOW) == 0.0
    pace.begin("w")
    assert pace.reserve("w", NOW) == SOON_SECONDS


def test_repairs_are_reckoned_with_for_a_while_after_each() -> None:
    pace = Pace()
    assert not pace.is_lively(NOW)
    pace.reserve("w", NOW)
    assert pace.is_lively(after(LIVELY_SECONDS / 2))
    assert not pace.is_lively(after(LIVELY_SECONDS))
