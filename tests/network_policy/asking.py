"""Policy tests asked of a small enclave, for the tests of policy tests."""

from collections.abc import Callable
from typing import Any

from contracts.network_policy import PolicyTestResult
from contracts.policy_tests import PolicyTest
from contracts.workspace import Workspace
from network_policy.domain.policy_tests import PolicyTester
from network_policy.domain.prospect import prospect, together
from network_policy.domain.world import World
from tests.network_policy.enclaves import ROUTED, document

OPENHPC = document(
    flows=[
        {"from": "site:jumphosts", "to": "login", "ports": [22]},
        {"from": "login", "to": "compute", "ports": [22, "6817-6819"]},
        {"from": "compute", "to": "self", "ports": ["1024-65535"]},
        {"from": "login", "to": "site:proxy", "ports": [3128]},
    ]
)


def asked(**fields: Any) -> PolicyTest:
    """A policy test of these fields, called 'it'."""
    return PolicyTest.model_validate({"name": "it", **fields})


def run(
    fields: dict[str, Any],
    made: Workspace = OPENHPC,
    change: Callable[[World], World] | None = None,
    least_nodes: int = 0,
    beside: Workspace | None = None,
) -> PolicyTestResult:
    """The test on the world that the document makes, which `change` may alter."""
    built = [prospect(each, ROUTED, least_nodes=least_nodes) for each in (made, beside) if each is not None]
    world = together(*(world for world, _ in built))
    return PolicyTester(change(world) if change else world, [claim for _, claim in built], ROUTED).run(
        asked(**fields), made.name
    )
