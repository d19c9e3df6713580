"""Would the harness notice? Each check holds on the code as it is, and fails on the bug that it is there for.

A bug that no check finds means that a check is missing. In every run: most checks once, and a handful of the bugs.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bootstrap.leases import BrokerLease, DatabaseLease
from tests.faults import checks_of_admission as admission
from tests.faults import checks_of_messages as messages
from tests.faults import checks_of_waking as waking
from tests.faults import checks_of_work as work
from tests.faults.bugs import BUGS, Bug
from tests.faults.ground import Ground, ground

PATIENCE_SECONDS = 30.0
PATIENCE_WITH_A_BUG_SECONDS = 10.0
IN_EVERY_RUN = {
    "acknowledged before the commit",
    "returns ignored",
    "noted before it is confirmed",
    "outbox outside the transaction",
    "signatures not verified",
    "fences not checked in a look",
    "unknown outcomes retried",
}
SLOW = {
    work.who_waited_too_long_does_not_call,
    work.leases_are_kept,
    messages.a_lost_end_is_asked_for,
    messages.a_rebuilt_session_leaves_nothing_open,
    waking.a_database_without_room_ends_nothing,
    waking.a_command_outlives_its_consumers,
}
"""Only in the campaign; and what admission refuses and a database without room, as these have tests of their own in every
run."""
CHECKS = [
    pytest.param(check, marks=pytest.mark.campaign if check in SLOW or check.__module__ == admission.__name__ else ())
    for check in sorted({bug.check for bug in BUGS}, key=lambda check: check.__name__)
]
CHOSEN = [bug if bug.name in IN_EVERY_RUN else pytest.param(bug, marks=pytest.mark.campaign) for bug in BUGS]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_code_as_it_is(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, check: Callable[[Ground], Awaitable[None]]
) -> None:
    async with ground(broker, database, tmp_path, PATIENCE_SECONDS) as here:
        await check(here)


@pytest.mark.parametrize("bug", CHOSEN, ids=str)
async def test_a_bug_is_caught(
    broker: BrokerLease, database: DatabaseLease, tmp_path: Path, bug: Bug, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ground(broker, database, tmp_path, PATIENCE_WITH_A_BUG_SECONDS) as here:
        bug.apply(monkeypatch, here)
        with pytest.raises(AssertionError):
            await bug.check(here)


def test_there_are_enough_of_them() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
