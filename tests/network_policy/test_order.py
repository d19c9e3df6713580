"""The order of a look's steps (I7): no port into a group before what Neutron or somebody put into it is out."""

from network_policy.domain.drift import ProtectPort
from network_policy.domain.order import safe_order
from network_policy.domain.plan import AddRules, CreateGroup, RemoveGroup, RemoveRule, Step
from tests.network_policy.enclaves import rule

ALL_OUT = rule("egress")
BOOT = AddRules("login", (rule("egress", protocol="udp", port_range_min=67, port_range_max=67),))
LATE = AddRules("login", (rule("ingress", protocol="tcp", port_range_min=22, port_range_max=22),))
CLEAN, INTO_NEW = ProtectPort("p1", ("clean",), 3), ProtectPort("p2", ("new",), 4)
DEFAULT = RemoveRule("login", "new", "r1", ALL_OUT)


def test_a_port_goes_at_once_into_a_group_that_is_as_declared() -> None:
    assert safe_order([CLEAN], [BOOT, DEFAULT, LATE]) == (CLEAN, BOOT, DEFAULT, LATE)


def test_a_port_waits_for_a_group_that_neutron_filled() -> None:
    assert safe_order([INTO_NEW, CLEAN], [BOOT, DEFAULT, LATE]) == (CLEAN, BOOT, DEFAULT, INTO_NEW, LATE)


def test_without_surplus_the_ports_come_first() -> None:
    steps: list[Step] = [CreateGroup("compute"), LATE, RemoveGroup("old", "g9")]
    assert safe_order([INTO_NEW, CLEAN], steps) == (INTO_NEW, CLEAN, *steps)
