"""The slots of the looks that confirm what was repaired at once."""

from datetime import UTC, datetime, timedelta

from network_policy.handlers.pace import LATEST_SECONDS, LOOKS_PER_SECOND, SOON_SECONDS, Pace

NOW = datetime(2026, 3, 3, tzinfo=UTC)


def test_one_repair_is_confirmed_soon() -> None:
    assert Pace().reserve("w", NOW) == SOON_SECONDS


def test_repairs_of_one_workspace_share_a_look() -> None:
    pace = Pace()
    first = pace.reserve("w", NOW)
    assert pace.reserve("w", NOW + timedelta(seconds=0.2)) == first - 0.2
    assert pace.reserve("w", NOW + timedelta(seconds=first)) == SOON_SECONDS


def test_a_storm_over_many_is_looked_at_at_an_even_rate_and_not_too_late() -> None:
    pace = Pace()
    slots = [pace.reserve(f"w{number}", NOW) for number in range(200)]
    assert slots[:3] == [SOON_SECONDS + number / LOOKS_PER_SECOND for number in range(3)]
    assert max(slots) == LATEST_SECONDS


def test_more_to_look_at_waits_for_no_slot() -> None:
    pace = Pace()
    pace.reserve("w", NOW)
    pace.hurry("w")
    assert pace.seconds_left("w", NOW) == 0.0
