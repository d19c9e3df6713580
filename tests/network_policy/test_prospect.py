"""The world as a document would have it: isolated as declared, and no more than that."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from contracts.documents import problems
from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.compile import Uncompilable
from network_policy.domain.proof import Prover
from network_policy.domain.prospect import prospect, together
from network_policy.domain.world import World
from tests.network_policy.documents import workspaces
from tests.network_policy.enclaves import SITE, document, rule, with_rule

ROUTED = SITE.model_copy(update={"external_network": "public", "vlan_physical_network": "physnet1"})
AGENTS = ROUTED.model_copy(update={"backend": "agent"})
DEMO = Path(__file__).parents[2] / "deploy/demo"
OPENHPC = Workspace.model_validate(yaml.safe_load((DEMO / "openhpc.yaml").read_text()))
DEMO_SITE = Site.model_validate(yaml.safe_load((DEMO / "site.yaml").read_text()))


def test_the_demos_document_is_isolated_as_declared_m1() -> None:
    world, claim = prospect(OPENHPC, DEMO_SITE)
    verdict = Prover(world, [claim]).prove("openhpc")
    assert verdict.holds, verdict.counterexamples
    nodes = [port for port in world.ports if port.id in claim.port_roles]
    assert [port.name for port in nodes] == ["openhpc-login-0", *(f"openhpc-compute-{n}" for n in range(5))]
    assert [port.addresses for port in nodes[:2]] == [("10.42.0.3",), ("10.42.0.4",)]
    assert {group.name for group in world.groups} == {"tresor-openhpc-login", "tresor-openhpc-compute", "default"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workspaces(), st.integers(0, 3), st.sampled_from([ROUTED, AGENTS]))
def test_every_document_is_isolated_as_declared_m1(made: Workspace, least_nodes: int, site: Site) -> None:
    assume(not problems(made, site))
    world, claim = prospect(made, site, least_nodes=least_nodes)
    verdict = Prover(world, [claim]).prove(made.name)
    assert verdict.holds, verdict.counterexamples
    addresses = [address for port in world.ports for address in port.addresses]
    assert len(set(addresses)) == len(addresses)
    ids = [port.id for port in world.ports] + [group.id for group in world.groups] + [each.id for each in world.subnets]
    assert len(set(ids)) == len(ids)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workspaces(), st.data())
def test_a_rule_too_many_is_found_in_every_document_m1(made: Workspace, data: st.DataObject) -> None:
    """Anything from anywhere is more than any document can declare, once there is somebody it comes to."""
    assume(not problems(made, ROUTED))
    world, claim = prospect(made, ROUTED, least_nodes=1)
    routed = {each.name for each in made.networks if each.routed}
    reached = [
        role.name for role in made.roles if routed & set(role.networks) and role.name in claim.port_roles.values()
    ]
    assume(reached)
    group_id = claim.group_ids[data.draw(st.sampled_from(reached))]
    assert not Prover(with_rule(world, group_id, "rogue", rule()), [claim]).prove(made.name).holds


def test_a_role_without_nodes_gets_as_many_as_asked_for_and_fit() -> None:
    tight = document(
        networks=[{"name": "cluster", "cidr": "10.42.0.0/29"}],
        roles=[{"name": "burst", "count": 0, "flavor": "f", "image": "i", "networks": ["cluster"]}],
        flows=[], storage={},
    )  # fmt: skip

    def nodes(least: int) -> int:
        return len(prospect(tight, SITE, least_nodes=least)[1].port_roles)

    assert (nodes(0), nodes(2), nodes(9)) == (0, 2, 4)


def test_nodes_without_room_are_refused() -> None:
    role = {"name": "many", "count": 9, "flavor": "f", "image": "i", "networks": ["cluster"]}
    with pytest.raises(Uncompilable, match="no room"):
        prospect(document(networks=[{"name": "cluster", "cidr": "10.42.0.0/29"}], roles=[role], flows=[]), SITE)


def test_a_network_of_the_sites_is_taken_as_open_to_others() -> None:
    site = SITE.model_copy(update={"networks": {"campus": "campus-net"}})
    made = document(
        sensitivity="open",
        networks=[{"name": "campus", "class": "shared-internal", "cidr": "10.9.0.0/24"}],
        roles=[{"name": "login", "count": 1, "flavor": "f", "image": "i", "networks": ["campus"]}],
        flows=[{"from": "site:jumphosts", "to": "login", "ports": [22]}], storage={},
    )  # fmt: skip
    world, claim = prospect(made, site)
    assert Prover(world, [claim]).prove("openhpc").holds
    assert not Prover(with_rule(world, claim.group_ids["login"], "rogue", rule()), [claim]).prove("openhpc").holds


def test_two_prospects_make_one_cloud() -> None:
    second = document(name="genome", networks=[{"name": "cluster", "cidr": "10.43.0.0/24"}])
    (one, first), (two, other) = prospect(OPENHPC, DEMO_SITE), prospect(second, DEMO_SITE)
    cloud: World = together(one, two)
    prover = Prover(cloud, [first, other])
    assert prover.prove("openhpc").holds
    assert prover.prove("genome").holds
    assert len([network for network in cloud.networks if network.external]) == 1
    assert len(cloud.ports) == len(one.ports) + len(two.ports)
