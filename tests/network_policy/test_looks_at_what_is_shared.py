"""What projects share with each other is seen by one look at a workspace as by a scan of all projects (rows I5, M1)."""

from dataclasses import fields, replace
from typing import Any

import pytest

from network_policy.domain.engine import Engine
from network_policy.domain.proof import Prover
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.world import AddressGroup, Group, GroupRule, Port, Router, Sharing, Trunk, World
from network_policy.handlers.model import Model
from tests.network_policy.enclaves import rule, with_port, with_rule
from tests.network_policy.test_model import AT, CALM, CLAIMS, nearby
from tests.network_policy.worlds import ONE, TWO

LOGIN, COMPUTE = ONE.ids["login"], ONE.ids["compute"]


def shared(kind: str, object_id: str, target: str = "p3") -> Sharing:
    return Sharing(f"share-{object_id}-{target}", kind, object_id, target, "access_as_shared")


def group(group_id: str, project_id: str, *rules: Rule) -> Group:
    return Group(group_id, group_id, project_id, tuple(GroupRule(f"{group_id}{n}", group_id, each) for n, each in enumerate(rules)))  # fmt: skip


def more(world: World, **added: tuple[Any, ...]) -> World:
    values: dict[str, Any] = {name: (*getattr(world, name), *each) for name, each in added.items()}
    return replace(world, **values)


def of(group_id: str) -> Remote:
    return Remote(RemoteKind.GROUP, group_id)


GUEST = Port("guest", "guest", "p3", ONE.network, ("10.42.0.77",), "", ("p3-new",), device_id="vm-guest")
AFAR = Port("afar", "afar", "p3", "p3-net", ("10.44.0.5",), "", (LOGIN,), device_id="vm-afar")
HEARS = with_rule(CALM, LOGIN, "hears", rule().with_remote(of("p4-members")))
ON_OUR_NETWORK = more(
    CALM,
    sharings=(shared("network", ONE.network),),
    ports=(GUEST,),
    groups=(group("p3-new", "p3", rule("egress", remote_ip_prefix="10.42.0.0/24")),),
)
WORLDS = {
    "a guest on our network": ON_OUR_NETWORK,
    "a guest whose group names one of a third project": more(
        CALM,
        sharings=(shared("network", ONE.network), shared("security_group", "p4-members")),
        ports=(GUEST,),
        groups=(group("p3-new", "p3", rule("egress").with_remote(of("p4-members"))), group("p4-members", "p4")),
    ),
    "a guest, and a rule that admits all on our network": with_rule(
        ON_OUR_NETWORK, COMPUTE, "open", rule(remote_ip_prefix="10.42.0.0/24")
    ),
    "another project's port in our group": more(CALM, sharings=(shared("security_group", LOGIN),), ports=(AFAR,)),
    "our port in a group that everybody may use, which names a third project's": with_port(
        more(
            CALM,
            sharings=(shared("security_group", "p3-open", "*"),),
            groups=(group("p3-open", "p3", rule().with_remote(of("p4-members"))), group("p4-members", "p4")),
        ),
        ONE.ports[0].id,
        group_ids=tuple(sorted((LOGIN, "p3-open"))),
    ),
    "members of a group that our rule names, themselves in groups of a third project": more(
        HEARS,
        sharings=(shared("security_group", "p4-members"), shared("security_group", "p5-more")),
        groups=(group("p4-members", "p4"), group("p5-more", "p5", rule("egress").with_remote(of("p6-last"))), group("p6-last", "p6")),
        ports=(replace(AFAR, group_ids=("p4-members", "p5-more")),),
    ),
    "an address group of another project, shared with us": more(
        with_rule(CALM, LOGIN, "named", rule(remote_address_group_id="p3-addresses")),
        sharings=(shared("address_group", "p3-addresses", "p1"),),
        address_groups=(AddressGroup("p3-addresses", "p3", ("198.51.100.0/24",)),),
    ),
    "another project's router on our network": more(
        with_rule(CALM, COMPUTE, "out", rule("egress", remote_ip_prefix="10.43.0.0/24")),
        sharings=(shared("network", ONE.network),),
        routers=(Router("p3-router", "p3", "ext", ("172.24.0.60",)),),
        ports=(Port("p3-if", "", "p3", ONE.network, ("10.42.0.3",), device_owner="network:router_interface",
                    device_id="p3-router"),),
    ),
    "our port under another project's trunk": more(
        with_port(CALM, ONE.ports[0].id, device_owner="trunk:subport", device_id=""),
        ports=(replace(AFAR, group_ids=()),),
        trunks=(Trunk("t", "p3", "afar", (ONE.ports[0].id,)),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORLDS)
async def test_a_look_says_what_a_scan_says_and_knows_as_much_m1(name: str) -> None:
    after, model = WORLDS[name], Model()
    await model.listed(CALM, CLAIMS, AT)
    seen = nearby(after)
    told = (await model.prove(seen, ONE.claim, AT)).verdict
    scanned = Model()
    plain = (await scanned.scanned(after, CLAIMS, AT))["openhpc"]
    assert plain.holds == Prover(after, CLAIMS).prove("openhpc").holds
    assert told.holds == plain.holds
    assert told.counterexamples == plain.counterexamples
    alone = Prover(replace(seen.world, whole=True), CLAIMS).prove("openhpc")
    assert {each.why for each in alone.counterexamples} == {each.why for each in plain.counterexamples}
    kept = model._kept
    assert kept is not None
    ours = {each.object_id for each in after.sharings} & {ONE.network, *ONE.ids.values()}
    for each in fields(World):
        if each.name not in ("whole", "sharings"):
            known: Any = {one.id: one for one in getattr(kept.observed.world(), each.name)}
            assert known == {one.id: one for one in getattr(after, each.name)}
    assert {each.object_id for each in kept.observed.world().sharings} == ours
    for back in (CALM, after):
        again = (await model.prove(nearby(back), ONE.claim, AT)).verdict
        assert again.holds == Prover(back, CLAIMS).prove("openhpc").holds


@pytest.mark.parametrize("name", WORLDS)
async def test_a_look_takes_nothing_for_gone_that_is_there_m1(name: str) -> None:
    after, model = replace(WORLDS[name], whole=True), Model()
    await model.listed(after, CLAIMS, AT)
    await model.prove(nearby(after), ONE.claim, AT)
    kept = model._kept
    assert kept is not None
    assert kept.engine.digest == Engine(after, CLAIMS).digest


def test_not_all_of_these_worlds_are_alike() -> None:
    held = {name: Prover(world, CLAIMS).prove("openhpc").holds for name, world in WORLDS.items()}
    assert {name for name, holds in held.items() if holds} == {
        "a guest on our network", "a guest whose group names one of a third project",
        "our port in a group that everybody may use, which names a third project's",
    }  # fmt: skip


def test_what_is_shared_opens_nothing_by_itself_and_is_in_the_digest() -> None:
    engine = Engine(CALM, CLAIMS)
    before = engine.digest
    engine.changed()
    sharing = shared("network", TWO.network, "*")
    engine.put(sharing)
    assert engine.changed() == frozenset()
    assert engine.digest == Engine(more(CALM, sharings=(sharing,)), CLAIMS).digest != before
    engine.drop("sharing", sharing.id)
    assert engine.digest == before
