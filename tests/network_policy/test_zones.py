"""Zones, their matrix, and site files that contradict themselves: row L4."""

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.workspace import Flow
from contracts.zones import forbidden
from tests.network_policy.asked_for import CLUSTER, DATA, compiled, found, roles, site
from tests.network_policy.enclaves import SITE, document

MATRIX = [
    {"from": "workspaces", "to": "clinic", "protocol": "tcp", "ports": [443, "8000-8100"]},
    {"from": "clinic", "to": "workspaces", "protocol": "icmp"},
]


@pytest.mark.parametrize(
    ("flow", "is_permitted"),
    [
        ({"from": "compute", "to": "zone:clinic", "ports": [443]}, True),
        ({"from": "compute", "to": "zone:clinic", "ports": ["8000-8100", 443]}, True),
        ({"from": "compute", "to": "zone:clinic", "ports": ["8000-8101"]}, False),
        ({"from": "compute", "to": "zone:clinic", "protocol": "udp", "ports": [443]}, False),
        ({"from": "compute", "to": "zone:clinic", "protocol": "any"}, False),
        ({"from": "zone:clinic", "to": "compute", "ports": [443]}, False),
        ({"from": "zone:clinic", "to": "compute", "protocol": "icmp"}, True),
        ({"from": "login", "to": "compute", "ports": [22]}, True),
    ],
)
def test_a_pair_of_zones_that_the_matrix_does_not_list_is_refused_and_compiles_to_nothing_l4(
    flow: dict[str, Any], is_permitted: bool
) -> None:
    where = site(zone_matrix=MATRIX)
    made = document(flows=[flow])
    assert (found(made, where) == []) is is_permitted
    assert (compiled(made, where)["compute"] != set()) is is_permitted
    if not is_permitted:
        ((field, reason),) = found(made, where)
        assert field == "flows.0"
        assert "zone matrix" in reason


def test_without_a_matrix_no_flow_crosses_zones_l4() -> None:
    made = document(flows=[{"from": "compute", "to": "zone:clinic", "ports": [443]}])
    assert [field for field, _ in found(made, site(zone_matrix=[]))] == ["flows.0"]


def test_networks_of_one_workspace_may_lie_in_two_zones_l4() -> None:
    networks = [CLUSTER, {**DATA, "zone": "clinic"}]
    made = document(
        networks=networks,
        roles=roles(compute={"networks": ["data"]}),
        flows=[{"from": "login", "to": "compute", "ports": [22]}, {"from": "compute", "to": "login", "ports": [22]}],
    )
    where = site(zone_matrix=[{"from": "workspaces", "to": "clinic", "protocol": "tcp", "ports": [22]}])
    assert [field for field, _ in found(made, where)] == ["flows.1"]
    added = compiled(made, where)
    assert {each.direction for each in added["login"]} == {"egress"}
    assert {each.direction for each in added["compute"]} == {"ingress"}


def test_a_role_on_two_networks_needs_every_pair_l4() -> None:
    networks = [CLUSTER, {**DATA, "zone": "clinic"}]
    made = document(networks=networks, roles=roles(compute={"networks": ["cluster", "data"]}))
    where = site(zone_matrix=[])
    flow = Flow.model_validate({"from": "login", "to": "compute", "ports": [22]})
    assert forbidden(made, where, flow) == (("workspaces", "clinic"),)
    assert forbidden(made, where, Flow.model_validate({"from": "compute", "to": "self", "protocol": "any"})) == (
        ("workspaces", "clinic"),
        ("clinic", "workspaces"),
    )


def test_an_endpoint_in_a_zone_needs_the_matrix_and_its_always_does_not() -> None:
    endpoints = SITE.model_dump(mode="json", by_alias=True)["endpoints"]
    where = site(endpoints={**endpoints, "proxy": {**endpoints["proxy"], "zone": "clinic"}}, zone_matrix=[])
    made = document(flows=[{"from": "login", "to": "site:proxy", "ports": [3128]}])
    assert [field for field, _ in found(made, where)] == ["flows.0"]
    assert compiled(made, where)["login"] == set()


def test_an_unknown_zone_is_refused() -> None:
    made = document(networks=[{**CLUSTER, "zone": "mars"}])
    assert ("networks.0.zone", "the site file names no zone 'mars'") in found(made, SITE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone_matrix": [{"from": "workspaces", "to": "mars"}]}, "no zone 'mars'"),
        ({"zone_matrix": [{"from": "workspaces", "to": "clinic", "protocol": "icmp", "ports": [1]}]}, "takes no ports"),
        ({"tunnels": {"clinic": {"peers": ["198.51.100.1/32"], "far_prefixes": ["10.9.0.0/16"]}}}, "a tunnel and a zone"),
        ({"api_proxy_endpoint": "nowhere"}, "no endpoint 'nowhere'"),
        (
            {"tunnels": {
                "a": {"peers": ["198.51.100.1/32"], "far_prefixes": ["10.9.0.0/16"]},
                "b": {"peers": ["198.51.100.2/32"], "far_prefixes": ["10.9.128.0/17"]},
            }},
            "far prefixes overlap",
        ),
        ({"tunnels": {"a": {"peers": ["10.9.0.1/32"], "far_prefixes": ["10.9.0.0/16"]}}}, "lies in 10.9.0.0/16"),
        ({"tunnels": {"a": {"peers": ["198.51.100.1/24"], "far_prefixes": ["10.9.0.0/16"]}}}, "host bits"),
    ],
)  # fmt: skip
def test_a_site_file_that_contradicts_itself_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        site(**changes)
