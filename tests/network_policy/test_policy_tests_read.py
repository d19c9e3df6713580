"""Policy tests as they are written: what means nothing is refused, and what names nobody is told by field (M17)."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.policy_tests import PolicyTests
from network_policy.domain.policy_tests import problems
from tests.network_policy.asking import asked
from tests.network_policy.enclaves import SITE


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"from": "compute", "to": "internet", "expect": "denied"}, "for a role write role:compute"),
        ({"from": "role:a", "to": "internet"}, "from, to and expect"),
        ({"from": "role:a", "only": ["role:a"], "reach": "role:b"}, "from, to and expect; or only and reach"),
        ({"from": "site:a", "to": "internet", "expect": "denied"}, "only those have rules"),
        ({"from": "role:a", "to": "anywhere", "expect": "permitted"}, "not permitted as a whole"),
        ({"from": "role:a", "to": "prefix:10.0.0.1/8", "expect": "denied"}, "host bits"),
        ({"from": "role:a", "to": "prefix:10.0.0.0/99", "expect": "denied"}, "names no prefix"),
        ({"from": "role:a", "to": "internet", "expect": "denied", "ports": [22]}, "takes no ports"),
        (
            {"from": "role:a", "to": "internet", "expect": "denied", "protocol": "tcp", "ports": ["9-2"]},
            "the lower first",
        ),
    ],
)
def test_a_test_that_means_nothing_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        asked(**fields)


def test_two_tests_of_one_name_are_refused() -> None:
    one = {"name": "it", "from": "role:a", "to": "internet", "expect": "denied"}
    with pytest.raises(ValidationError, match="two tests are called 'it'"):
        PolicyTests.model_validate({"tests": [one, one]})
    PolicyTests.model_validate({"tests": [one, {**one, "workspace": "other"}]})


def test_names_that_nobody_declared_are_told_by_field() -> None:
    tests = [
        asked(**{"from": "role:gpu", "to": "site:moon", "expect": "denied"}),
        asked(only=["zone:mars", "node:login-x"], reach="role:login"),
        asked(workspace="other", reach="role:anything", only=[]),
    ]
    found = problems(tests, SITE, workspace="openhpc", roles=["login", "compute"])
    assert [each.field for each in found] == ["tests.0.from", "tests.0.to", "tests.1.only.0", "tests.1.only.1"]
