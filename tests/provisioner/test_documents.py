"""The rules that a document is held against, without the cloud and with its catalog; each error names its field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts import documents
from contracts.site import Site
from contracts.workspace import Workspace
from provisioner.domain import admission, change, faults, quotas
from tests.provisioner.story import CATALOG, SITE, document, role

DEMO = Path(__file__).parents[2] / "deploy" / "demo"


def fields(found: Any) -> set[str]:
    return {problem.field for problem in found}


def admitted(wanted: Workspace, *neighbours: Workspace) -> set[str]:
    return fields(admission.problems(wanted, SITE, CATALOG, neighbours))


def test_i3_the_demo_fits_its_site() -> None:
    site = Site.model_validate(yaml.safe_load((DEMO / "site.yaml").read_text()))
    wanted = Workspace.model_validate(yaml.safe_load((DEMO / "openhpc.yaml").read_text()))
    assert documents.problems(wanted, site) == ()
    assert admission.problems(wanted, site, CATALOG, ()) == ()
    assert {role.name: role.count for role in wanted.roles} == {"login": 1, "compute": 5}
    assert {share.name for share in wanted.storage.shares} == {"home", "scratch"}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "site"}, "name"),
        ({"name": "w" * 35}, "roles.0.name"),
        ({"quotas": {"instances": 5}}, "quotas.instances"),
        ({"quotas": {"shares_gib": 10}}, "quotas.shares_gib"),
        (
            {
                "networks": [{"name": "cluster", "cidr": "10.42.0.0/24"}, {"name": "b-1", "cidr": "10.43.0.0/24"}],
                "roles": [
                    role(name="a", networks=["cluster", "b-1"]),
                    role(name="a-0-b", count=2),
                ],
                "flows": [],
                "storage": {},
            },
            "roles.1.name",
        ),
        (
            {"networks": [{"name": "cluster", "cidr": "10.42.0.0/24"}, {"name": "b", "cidr": "10.42.0.128/25"}]},
            "networks.1.cidr",
        ),
        ({"flows": [{"from": "nobody", "to": "login", "ports": [22]}]}, "flows.0.from"),
    ],
)
def test_a_document_that_is_wrong_in_itself_names_its_field(changed: dict[str, Any], field: str) -> None:
    site = SITE.model_copy(update={"endpoints": {}})
    found = documents.problems(document(**changed), site)
    assert field in fields(found)
    assert all(problem.reason for problem in found)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"flavor": "tre.huge"}, "roles.0.flavor"),
        ({"image": "nope"}, "roles.0.image"),
        ({"image": "big"}, "roles.0.flavor"),
        ({"keypair": "ana"}, "roles.0.keypair"),
        ({"flavor": "bm"}, "roles.0.hardware"),
        ({"hardware": "baremetal"}, "roles.0.hardware"),
        ({"flavor": "bm", "hardware": "baremetal", "count": 3}, "roles"),
    ],
)
def test_i1_i2_what_the_cloud_does_not_have_is_named(changed: dict[str, Any], field: str) -> None:
    assert field in admitted(document(roles=[role(name="login", **changed)]))


def test_i1_bare_metal_within_the_pool_is_admitted() -> None:
    metal = role(name="login", flavor="bm", hardware="baremetal", count=2)
    assert admitted(document(roles=[metal])) == set()


def test_two_workspaces_never_share_a_prefix() -> None:
    ours = document(name="second", networks=[{"name": "cluster", "cidr": "10.42.0.128/25"}])
    assert admitted(ours, document()) == {"networks.0.cidr"}
    assert admitted(document(), document()) == set(), "a workspace is not its own neighbour"


def test_a_missing_external_network_is_told_at_the_network_that_wants_it() -> None:
    site = SITE.model_copy(update={"external_network": "elsewhere"})
    assert fields(admission.problems(document(), site, CATALOG, ())) == {"networks.0.routed"}
    unrouted = document(networks=[{"name": "cluster", "cidr": "10.42.0.0/24", "routed": False}])
    assert admission.problems(unrouted, site, CATALOG, ()) == ()


def test_quotas_are_what_the_document_needs_and_no_more() -> None:
    limits = quotas.limits(document(), CATALOG)
    assert limits["compute"] == {"instances": 6, "cores": 21, "ram": 512 + 5 * 4096}
    assert set(limits) == {"compute", "network"}, "volumes and shares are storage's"
    bounded = quotas.limits(document(quotas={"cores": 30, "ram_gib": 40}), CATALOG)
    assert bounded["compute"] == {"instances": 6, "cores": 30, "ram": 40 * 1024}
    assert fields(quotas.problems(document(quotas={"cores": 20, "ram_gib": 20}), CATALOG)) == {
        "quotas.cores",
        "quotas.ram_gib",
    }


def test_a_burst_pool_has_room_in_the_quotas() -> None:
    burst = {"role": "compute", "provider": "local", "max_nodes": 4, "budget_per_month": 1}
    limits = quotas.limits(document(burst=burst), CATALOG)["compute"]
    assert (limits["instances"], limits["cores"]) == (10, 37)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"sensitivity": "internal"}, "sensitivity"),
        ({"networks": [{"name": "cluster", "cidr": "10.43.0.0/24"}]}, "networks.0.cidr"),
        ({"networks": [{"name": "other", "cidr": "10.43.0.0/24"}]}, "networks"),
        ({"roles": [role(name="login")]}, "roles"),
        ({"roles": [role(name="compute", flavor="tre.large"), role(name="login", image="big")]}, "roles.1.image"),
        ({"roles": [role(name="login", user_data="#!x"), role(name="compute")]}, "roles.0.user_data"),
    ],
)
def test_a_change_that_can_not_be_made_in_place_is_refused_with_a_way_round(
    changed: dict[str, Any], field: str
) -> None:
    found = change.problems(document(), document(**changed))
    assert field in fields(found)
    assert all(problem.remedy for problem in found)


def test_changes_of_counts_flows_storage_and_register_are_made_in_place() -> None:
    old = document()
    roles = [role(name="login"), role(name="compute", flavor="tre.large", count=7), role(name="viz")]
    new = document(roles=roles, flows=[], storage={}, expiry="2028-01-01", description="longer")
    assert change.problems(old, new) == ()
    actions = {planned.name: planned.action for planned in change.nodes(old, new)}
    assert actions["openhpc-compute-4"] == "keep"
    assert actions["openhpc-compute-6"] == "create"
    assert actions["openhpc-viz-0"] == "create"
    assert {planned.kind for planned in change.sections(old, new)} == {"flows", "storage", "expiry", "description"}


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        ("No valid host was found. There are not enough hosts available.", "hypervisors"),
        ("Quota exceeded for instances: Requested 1, but already used 3 of 3", "raise the project's quota"),
        ("Exceeded maximum number of retries. Exhausted all hosts", "nova-compute"),
        ("something nobody has seen", "mend the cause"),
    ],
)
def test_a_fault_comes_with_what_to_do(fault: str, remedy: str) -> None:
    problem = faults.problem("openhpc-login-0", fault, "roles.0")
    assert fault[:20] in problem.reason
    assert remedy in problem.remedy


def test_a_fault_is_one_bounded_line_whatever_nova_says() -> None:
    said = faults.plain("boom\r\n\x1b[31m\u202eecil" + "x" * 42_000)
    assert len(said) == faults.MAX_FAULT_CHARACTERS
    assert said.isprintable()
