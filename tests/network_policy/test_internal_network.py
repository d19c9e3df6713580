"""A tenant's port on the network that OpenStack's own services talk on (row C3)."""

import pytest

from network_policy.domain.audit.finding import Severity
from network_policy.domain.audit.inventory import Inventory
from network_policy.domain.audit.report import audit
from network_policy.domain.audit.subject import Expected
from network_policy.domain.world import Network, Port, Subnet, World


@pytest.mark.parametrize(
    ("expected", "is_found"),
    [
        (Expected(internal="api"), True),
        (Expected(internal="n1"), True),
        (Expected(internal_prefixes=("10.254.0.0/16",)), True),
        (Expected(internal="elsewhere", internal_prefixes=("10.7.0.0/16", "fd00::/8")), False),
    ],
)
def test_a_tenants_port_on_the_internal_network_is_known_by_its_name_id_and_prefix_c3(
    expected: Expected, is_found: bool
) -> None:
    world = World(
        ports=(
            Port("x", "x", "tenant", "n1", ("10.254.7.9",)),
            Port("own", "own", "service", "n1", ("10.254.7.10",)),
            Port("y", "y", "tenant", "n2", ("10.8.0.9",)),
        ),
        networks=(Network("n1", "api", "service"), Network("n2", "home", "tenant")),
        subnets=(Subnet("s1", "n1", "10.254.7.0/24"), Subnet("s2", "n2", "10.8.0.0/24")),
    )
    report = audit(Inventory(world), expected)
    found = [each for each in report.findings if each.kind.name == "tenant-on-internal-network"]
    assert [(each.found.resource_id, each.severity) for each in found] == [("x", Severity.CRITICAL)] * is_found
