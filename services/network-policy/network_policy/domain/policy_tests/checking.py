"""What is wrong with a policy test before any world is asked: names that nobody declared."""

from collections.abc import Iterable, Iterator, Sequence

from contracts.envelope import Problem
from contracts.policy_tests import PolicyTest
from contracts.site import Site


def problems(tests: Sequence[PolicyTest], site: Site, *, workspace: str, roles: Iterable[str]) -> tuple[Problem, ...]:
    """Everything wrong with the tests for a workspace of these roles; fields are named as in a file of tests."""
    known = sorted(roles)
    return tuple(
        found
        for position, test in enumerate(tests)
        if test.workspace in (None, workspace)
        for field, end in _ends(test)
        for found in _about(f"tests.{position}.{field}", end, site, workspace, known)
    )


def _ends(test: PolicyTest) -> Iterator[tuple[str, str]]:
    for field, end in (("from", test.from_), ("to", test.to), ("reach", test.reach)):
        if end is not None:
            yield field, end
    for field, ends in (("only", test.only), ("reaches_only", test.reaches_only)):
        for position, end in enumerate(ends or ()):
            yield f"{field}.{position}", end


def _about(field: str, end: str, site: Site, workspace: str, roles: list[str]) -> Iterator[Problem]:
    kind, _, value = end.partition(":")
    if kind == "role" and value not in roles:
        yield Problem(
            field=field, reason=f"'{workspace}' has no role '{value}'", remedy=f"use one of: {', '.join(roles)}"
        )
    elif kind == "node":
        role, _, number = value.rpartition("-")
        if role not in roles or not number.isdigit():
            yield Problem(
                field=field,
                reason=f"'{value}' is no node of '{workspace}'",
                remedy=f"write the role and a number: {roles[0] if roles else 'login'}-0",
            )
    elif kind in ("site", "zone") and site.place(end) is None:
        places = site.endpoints if kind == "site" else {**site.zones, **site.tunnels}
        yield Problem(
            field=field,
            reason=f"the site file names no {'endpoint' if kind == 'site' else 'zone'} '{value}'",
            remedy=f"use one of: {', '.join(sorted(places)) or 'none is declared'}",
        )
