"""Whether a plan fits into the project's quota, told before anything is made."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from contracts.envelope import Problem
from network_policy.domain.outcome import peak
from network_policy.domain.plan import Step


class Allowance(Protocol):
    """One resource's quota in a project; a negative limit is none."""

    @property
    def limit(self) -> int: ...

    @property
    def used(self) -> int: ...


_WORDS = {"security_group": "security groups", "security_group_rule": "security group rules"}


def quota_problems(steps: Iterable[Step], quota: Mapping[str, Allowance]) -> Iterator[Problem]:
    """What does not fit at the plan's highest point: need, use and limit of each resource."""
    groups, rules = peak(steps)
    for name, need in (("security_group", groups), ("security_group_rule", rules)):
        allowed = quota[name]
        if need > 0 and 0 <= allowed.limit < allowed.used + need:
            yield Problem(
                field=f"quota.{name}",
                reason=f"{need} more {_WORDS[name]} are needed, {allowed.used} of {allowed.limit} are used",
                remedy=f"raise the project's quota to at least {allowed.used + need}, or permit less",
            )
