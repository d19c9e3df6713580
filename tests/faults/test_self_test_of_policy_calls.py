"""The same for network-policy's calls to Neutron: its own tests of them must fail with these bugs, on the twin."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.network_policy import conftest as given
from tests.network_policy import test_outliving_calls as outliving
from tests.network_policy import test_revisions as revisions
from tests.network_policy.stage import Stage
from twin.testing import RunningTwin

place, site, stage, twin = given.place, given.site, given.stage, given.twin
PATIENCE_WITH_A_BUG_SECONDS = 22.0
"""Longer than a late group takes to come."""


@dataclass(frozen=True)
class Bug:
    """`target` is replaced by `wrong`; `check` must fail with it."""

    name: str
    target: str
    wrong: Callable[..., Any]
    check: Callable[[Stage, RunningTwin, pytest.MonkeyPatch], Awaitable[None]]


async def _nothing_went(*_: Any) -> bool:
    return False


async def _all_of_them(_: object, step: str, markers: Any) -> set[str]:
    return set(markers)


async def _no_second_group(stage: Stage, twin: RunningTwin, patch: pytest.MonkeyPatch) -> None:
    await outliving.test_a_second_group_that_came_late_is_taken_away(stage, twin, patch)


async def _no_foreign_group(stage: Stage, twin: RunningTwin, _: pytest.MonkeyPatch) -> None:
    await outliving.test_a_group_that_somebody_else_made_under_a_roles_name_stays(stage, twin)


async def _nothing_overwritten(stage: Stage, twin: RunningTwin, _: pytest.MonkeyPatch) -> None:
    await revisions.test_a_port_that_changed_meanwhile_is_read_again_before_it_is_put_back(stage, twin)


BUGS = (
    Bug("late groups left", "network_policy.handlers.enforcing.remove_surplus", _nothing_went, _no_second_group),
    Bug(
        "groups of others taken for late ones", "network_policy.store.without_outcome", _all_of_them, _no_foreign_group
    ),
    Bug("a 412 overwritten", "network_policy.cloud.changing.at_revision", lambda _: {}, _nothing_overwritten),
)


@pytest.mark.campaign
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_a_bug_is_caught(stage: Stage, twin: RunningTwin, monkeypatch: pytest.MonkeyPatch, bug: Bug) -> None:
    monkeypatch.setattr(bug.target, bug.wrong)
    for check in (outliving, revisions):
        monkeypatch.setattr(check, "PATIENCE_SECONDS", PATIENCE_WITH_A_BUG_SECONDS)
    with pytest.raises((AssertionError, TimeoutError)):
        await bug.check(stage, twin, monkeypatch)
