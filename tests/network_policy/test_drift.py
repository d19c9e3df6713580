"""What counts as drift, and what repairs it (M3, I6; CVE-2015-5240)."""

from dataclasses import replace

from contracts.network_policy import RuleDrift
from network_policy.domain.drift import Nodes, ProtectPort
from network_policy.domain.names import role_of_node
from network_policy.domain.sight import Sight, digest_of_drift, see
from network_policy.domain.world import AddressPair, Group, GroupRule, Port
from tests.network_policy.enclaves import Enclave, document, rule

HERE = Enclave(document(), "p")
NODES = Nodes(dict(HERE.claim.port_roles), frozenset(port.device_id for port in HERE.ports))


def look(groups: tuple[Group, ...] = HERE.groups, ports: tuple[Port, ...] = HERE.ports, nodes: Nodes = NODES) -> Sight:
    known = {each.id: (each.group_id, each.rule) for group in HERE.groups for each in group.rules}
    return see(HERE.policy, "p", groups, ports, recorded_groups=HERE.ids, known_rules=known, nodes=nodes)


def changed(port: Port, **fields: object) -> tuple[Port, ...]:
    return tuple(replace(each, **fields) if each.id == port.id else each for each in HERE.ports)  # type: ignore[arg-type]


def test_all_in_order_is_no_drift() -> None:
    assert look().drift == ()
    assert look().todo == ()


def test_a_lost_rule_is_named_by_the_id_it_had() -> None:
    login, *others = HERE.groups
    lost = login.rules[0]
    (drift,) = look((replace(login, rules=login.rules[1:]), *others)).drift
    assert (drift.change, drift.rule_id, drift.role) == ("rule-removed", lost.id, "login")


def test_a_rule_in_the_default_group_is_drift_i6() -> None:
    *others, default = HERE.groups
    opened = replace(default, rules=(GroupRule("d", default.id, rule()),))
    (drift,) = look((*others, opened)).drift
    assert (drift.change, drift.rule_id, drift.role) == ("rule-added", "d", None)


def test_a_missing_group_is_told_with_the_rules_that_neutron_deletes_with_it() -> None:
    login, compute, default = HERE.groups
    left = tuple(each for each in compute.rules if each.rule.remote.value != login.id)
    ports = tuple(replace(each, group_ids=()) if login.id in each.group_ids else each for each in HERE.ports)
    drift = look((replace(compute, rules=left), default), ports).drift
    assert [(each.change, each.role) for each in drift] == [
        ("rule-removed", "compute"),
        ("rule-removed", "compute"),
        ("group-missing", "login"),
    ]


def test_a_port_that_is_open_while_its_group_is_gone_is_closed_until_the_group_stands_again() -> None:
    _, compute, default = HERE.groups
    port = next(each for each in HERE.ports if "login" in each.name)
    for fields, change in (
        ({"group_ids": (compute.id,)}, "port-regrouped"),
        ({"group_ids": (), "port_security": False}, "port-unprotected"),
        ({"group_ids": (default.id,), "address_pairs": (AddressPair("0.0.0.0/0"),)}, "port-address-pairs"),
    ):
        sight = look((compute, default), changed(port, **fields))
        assert [each.change for each in sight.drift if each.port_id == port.id] == [change]
        assert ProtectPort(port.id, (default.id,), 0) in sight.repairs
    for groups in ((), (default.id,)):
        assert look((compute, default), changed(port, group_ids=groups)).repairs == ()


def test_an_unmanaged_group_is_told_and_left() -> None:
    sight = look((*HERE.groups, Group("u", "mine", "p")))
    assert [(each.change, each.group_id) for each in sight.drift] == [("group-unmanaged", "u")]
    assert sight.todo == ()


def test_ports_out_of_order_are_put_back_into_their_roles_group() -> None:
    compute = next(port for port in HERE.ports if "compute" in port.name)
    repair = ProtectPort(compute.id, (HERE.ids["compute"],), 0)
    for fields, change in (
        ({"group_ids": (HERE.ids["login"],)}, "port-regrouped"),
        ({"group_ids": ()}, "port-regrouped"),
        ({"group_ids": tuple(HERE.ids.values())}, "port-regrouped"),
        ({"port_security": False}, "port-unprotected"),
        ({"address_pairs": (AddressPair("0.0.0.0/0"),)}, "port-address-pairs"),
    ):
        sight = look(ports=changed(compute, **fields))
        assert [each.change for each in sight.drift] == [change]
        assert sight.repairs == (repair,)


def test_a_renamed_port_keeps_the_role_that_is_recorded() -> None:
    compute = next(port for port in HERE.ports if "compute" in port.name)
    assert look(ports=changed(compute, name="openhpc-login-9")).drift == ()


def test_a_port_nobody_declared_goes_into_the_empty_default_group() -> None:
    stray = Port("stray", "mine", "p", HERE.network, ("10.42.0.99",), "", (HERE.ids["login"],))
    sight = look(ports=(*HERE.ports, stray))
    assert sight.repairs == (ProtectPort("stray", ("p-default",), 0),)


def test_a_port_of_a_coming_node_is_known_by_its_name() -> None:
    coming = Port("new", "openhpc-compute-7", "p", HERE.network, (), "", (HERE.ids["compute"],))
    assert look(ports=(*HERE.ports, coming)).drift == ()
    assert role_of_node("openhpc", frozenset({"compute"}), "openhpc-compute-7-fast") == "compute"
    assert role_of_node("openhpc", frozenset({"compute", "compute-gpu"}), "openhpc-compute-gpu-0") == "compute-gpu"
    assert role_of_node("openhpc", frozenset({"compute"}), "other-compute-7") is None


def test_neutrons_own_ports_are_left_alone() -> None:
    dhcp = Port("dhcp", "", "p", HERE.network, ("10.42.0.2",), device_owner="network:dhcp", device_id="dhcp-1")
    assert look(ports=(*HERE.ports, dhcp)).drift == ()


def test_a_nodes_port_that_calls_itself_neutrons_is_told() -> None:
    """CVE-2015-5240."""
    compute = next(port for port in HERE.ports if "compute" in port.name)
    by_port = look(ports=changed(compute, device_owner="network:dhcp", device_id="dhcp-1"))
    assert [(each.change, each.port_id) for each in by_port.drift] == [("port-trusted", compute.id)]
    new = Port("x", "x", "p", HERE.network, (), device_owner="network:dhcp", device_id=compute.device_id)
    assert [each.port_id for each in look(ports=(*HERE.ports, new)).drift] == ["x"]


def test_dhcp_options_of_a_nodes_port_are_told_but_not_of_bare_metal() -> None:
    """CVE-2021-40085."""
    compute = next(port for port in HERE.ports if "compute" in port.name)
    options = ("router=10.42.0.66", "server-ip-address=10.42.0.66")
    sight = look(ports=changed(compute, dhcp_options=options))
    assert [(each.change, each.role, each.port_id) for each in sight.drift] == [
        ("port-dhcp-options", "compute", compute.id)
    ]
    assert sight.repairs == ()
    both = look(ports=changed(compute, dhcp_options=options, port_security=False))
    assert {each.change for each in both.drift} == {"port-dhcp-options", "port-unprotected"}
    assert [each.port_id for each in both.repairs] == [compute.id]
    assert look(ports=changed(compute, dhcp_options=options, vnic_type="baremetal")).drift == ()


def test_the_same_difference_has_the_same_digest() -> None:
    with_id = RuleDrift(change="rule-removed", group_id="g", rule_id="r")
    assert digest_of_drift(with_id) == digest_of_drift(with_id.model_copy(update={"rule_id": None}))
    added = RuleDrift(change="rule-added", group_id="g", rule_id="r")
    assert digest_of_drift(added) != digest_of_drift(added.model_copy(update={"rule_id": "s"}))
