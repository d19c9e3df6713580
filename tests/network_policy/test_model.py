"""The model of the cloud: verdicts on what was just observed, whatever it knew before; and never on an engine that failed."""

import asyncio
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from prometheus_client import REGISTRY

from network_policy.cloud import networks_of
from network_policy.domain.certificate import ASSUMED_NEARBY
from network_policy.domain.engine import Engine
from network_policy.domain.observed import Nearby, Observed
from network_policy.domain.proof import Prover
from network_policy.domain.rule import RemoteKind
from network_policy.domain.topology import ROUTER_INTERFACES
from network_policy.domain.world import Group, GroupRule, Port, World
from network_policy.handlers.model import Model, NotListed
from tests.network_policy.enclaves import rule, together, with_port, with_rule
from tests.network_policy.worlds import ONE, STRANGER, TWO, worlds

CLAIMS = [ONE.claim, TWO.claim]
CALM = replace(together(ONE.world, TWO.world), ports=(*ONE.world.ports, *TWO.world.ports, STRANGER), whole=True)
AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
OPEN = rule(protocol="tcp", port_range_min=22, port_range_max=22, remote_ip_prefix="0.0.0.0/0")


def named(groups: Iterable[Group], ports: Iterable[Port]) -> set[str]:
    remotes = (each.rule.remote for group in groups for each in group.rules)
    found = {remote.value for remote in remotes if remote.kind is RemoteKind.GROUP}
    return found.union(*(port.group_ids for port in ports))


def nearby(world: World, project_id: str = "p1", network_ids: tuple[str, ...] = ("p1-net",)) -> Nearby:
    """What `PolicyCloud.surroundings` would list of this world for the project."""
    groups = [each for each in world.groups if each.project_id == project_id]
    own = {each.id for each in groups}
    mine = [each for each in world.ports if each.project_id == project_id]
    networks = networks_of(network_ids, mine)
    ports = [
        each
        for each in world.ports
        if each in mine or each.network_id in networks or own.intersection(each.group_ids)
    ]  # fmt: skip
    rows = {each.id: each for each in world.groups}
    strange = named(groups, ports) - own
    more = [rows[each] for each in strange if each in rows]
    ports += [each for each in world.ports if each not in ports and more and strange.intersection(each.group_ids)]
    trunks = world.trunks if any(each.is_subport for each in ports) else ()
    here = {each.id for each in ports}
    parents = {each.port_id for each in trunks if here.intersection(each.subport_ids)}
    ports += [each for each in world.ports if each not in ports and each.id in parents]
    while missing := (named((*groups, *more), ports) & rows.keys()) - own - {each.id for each in more}:
        more += [rows[each] for each in missing]
    devices = {each.device_id for each in ports if each.device_owner.startswith(ROUTER_INTERFACES)}
    seen = World(
        groups=(*groups, *more),
        ports=tuple(ports),
        networks=tuple(each for each in world.networks if each.id in networks),
        subnets=tuple(each for each in world.subnets if each.network_id in networks),
        routers=tuple(each for each in world.routers if each.project_id == project_id or each.id in devices),
        floating_ips=tuple(each for each in world.floating_ips if each.project_id == project_id),
        address_groups=world.address_groups,
        sharings=tuple(each for each in world.sharings if each.object_id in {*networks, *own}),
        trunks=trunks,
    )
    return Nearby(seen, project_id, networks)


def counted(why: str) -> float:
    return REGISTRY.get_sample_value("tresor_isolation_models_built_total", {"why": why}) or 0.0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), worlds())
def test_a_look_is_proven_on_what_it_saw(before: World, after: World) -> None:
    """Whatever the model knew: what is open in the surroundings as listed is found, and the next listing mends the rest."""

    async def scenario() -> None:
        model, whole = Model(), replace(after, whole=True)
        await model.listed(replace(before, whole=True), CLAIMS, AT)
        seen = nearby(after)
        told = (await model.prove(seen, ONE.claim, AT)).verdict
        assert ASSUMED_NEARBY in told.assumptions
        if not Prover(seen.world, CLAIMS).prove("openhpc").holds:
            assert not told.holds
        agreed, differed = counted("agrees"), counted("differs")
        verdicts = await model.scanned(whole, CLAIMS, AT + timedelta(seconds=60))
        assert (counted("agrees"), counted("differs")) == (agreed + 1, differed)
        plain = Prover(whole, CLAIMS)
        for claim in CLAIMS:
            expected = plain.prove(claim.workspace)
            listed = (await model.verdict(claim.workspace)).verdict
            assert (listed.holds, listed.assumptions) == (expected.holds, expected.assumptions)
            assert verdicts[claim.workspace] == listed

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "after",
    [
        with_rule(CALM, "p1-login", "rogue", OPEN),
        with_rule(CALM, "p1-compute", "rogue", rule("egress", remote_group_id="p2-login")),
        with_port(CALM, ONE.ports[0].id, port_security=False, group_ids=()),
        with_port(CALM, ONE.ports[0].id, group_ids=("p2-login",)),
        replace(CALM, ports=tuple(each for each in CALM.ports if each.id != ONE.ports[0].id)),
        replace(CALM, groups=tuple(each for each in CALM.groups if each.id != "p1-login")),
    ],
)
async def test_a_change_of_the_project_is_judged_as_by_the_plain_prover_and_so_is_its_end(after: World) -> None:
    model = Model()
    await model.listed(CALM, CLAIMS, AT)
    for world in (after, CALM, after):
        told = (await model.prove(nearby(world), ONE.claim, AT)).verdict
        plain = Prover(world, CLAIMS).prove("openhpc")
        assert told.holds == plain.holds
        assert {each.why for each in told.counterexamples} == {each.why for each in plain.counterexamples}
    kept = model._kept
    assert kept is not None
    for each in fields(World):
        if each.name != "whole":
            known: Any = {one.id: one for one in getattr(kept.observed.world(), each.name)}
            assert known == {one.id: one for one in getattr(after, each.name)}
    assert kept.engine.digest == Engine(after, CLAIMS).digest


async def test_what_was_repaired_is_judged_as_it_was_and_leaves_no_trace() -> None:
    model = Model()
    await model.listed(CALM, CLAIMS, AT)
    former: list[GroupRule | Port] = [
        GroupRule("rogue", "p1-login", OPEN),
        replace(ONE.ports[1], port_security=False, group_ids=()),
    ]
    proven = await model.prove(nearby(CALM), ONE.claim, AT, former)
    assert proven.verdict.holds
    assert proven.former is not None
    assert not proven.former.holds
    again = await model.prove(nearby(CALM), ONE.claim, AT)
    assert again.verdict == proven.verdict
    assert again.former is None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(), worlds())
def test_whatever_was_repaired_every_verdict_is_afterwards_as_if_it_had_never_been(now: World, before: World) -> None:
    former: list[GroupRule | Port] = [each for each in before.ports if each not in now.ports]
    former += [each for group in before.groups for each in group.rules if all(group.id != one.id for one in now.groups)]
    former += [
        each
        for group in before.groups
        for one in now.groups
        if one.id == group.id
        for each in group.rules
        if all(each.id != rule.id for rule in one.rules)
    ]

    async def run() -> None:
        whole = replace(now, whole=True)
        model, calm = Model(), Engine(whole, CLAIMS)
        await model.listed(whole, CLAIMS, AT)
        for claim in CLAIMS:
            was = (await model.verdict(claim.workspace, former)).former
            other, changed = Observed(whole, CLAIMS).put_back(Engine(whole, CLAIMS), former)
            assert was == (other.verdict(claim.workspace) if changed else None)
            for each in CLAIMS:
                assert (await model.verdict(each.workspace)).verdict == calm.verdict(each.workspace)

    asyncio.run(run())


async def test_what_a_notification_tells_of_somebody_else_is_known_and_an_old_one_changes_nothing() -> None:
    model, listed = Model(), with_port(CALM, TWO.ports[0].id, revision=5)
    await model.listed(listed, CLAIMS, AT)
    model.hear(replace(TWO.ports[0], revision=4, port_security=False, group_ids=()))
    assert (await model.prove(nearby(listed), ONE.claim, AT)).others == frozenset()
    model.hear(GroupRule("in", "p2-compute", OPEN))
    proven = await model.prove(nearby(listed), ONE.claim, AT)
    assert proven.verdict.holds
    assert proven.others == {"genome"}
    told = (await model.verdict("genome")).verdict.counterexamples
    assert "in" in {each for one in told for each in one.rule_ids}
    assert (await model.prove(nearby(listed), ONE.claim, AT)).others == frozenset(), "told once"


async def test_a_model_that_drifted_is_found_out_by_the_scan_and_not_gone_on_with() -> None:
    model = Model()
    await model.scanned(CALM, CLAIMS, AT)
    kept = model._kept
    assert kept is not None
    kept.engine.drop("port", ONE.ports[0].id)  # behind its back: `observed` does not know
    differed = counted("differs")
    opened = with_port(CALM, ONE.ports[1].id, port_security=False, group_ids=())
    verdicts = await model.scanned(opened, CLAIMS, AT + timedelta(seconds=60))
    assert counted("differs") == differed + 1
    assert verdicts["openhpc"].digest == Engine(opened, CLAIMS).digest
    assert (await model.prove(nearby(opened), ONE.claim, AT)).verdict.holds is Prover(opened, CLAIMS).prove(
        "openhpc"
    ).holds


async def test_an_engine_that_failed_proves_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    with pytest.raises(NotListed):
        await model.prove(nearby(CALM), ONE.claim, AT)
    await model.listed(CALM, CLAIMS, AT)
    with monkeypatch.context() as broken:
        broken.setattr(Engine, "put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await model.prove(nearby(with_rule(CALM, "p1-login", "rogue", OPEN)), ONE.claim, AT)
    assert not model.is_current(AT)
    with pytest.raises(NotListed):
        await model.prove(nearby(CALM), ONE.claim, AT)
    await model.listed(CALM, CLAIMS, AT)
    assert model.is_current(AT)
    assert not model.is_current(AT + timedelta(seconds=1))
    assert (await model.prove(nearby(CALM), ONE.claim, AT)).verdict.holds


async def test_a_listing_that_began_before_a_look_does_not_take_it_back() -> None:
    model = Model()
    await model.listed(CALM, CLAIMS, AT)
    opened = with_rule(CALM, "p1-login", "rogue", OPEN)
    assert not (await model.prove(nearby(opened), ONE.claim, AT + timedelta(seconds=5))).verdict.holds
    assert (await model.scanned(CALM, CLAIMS, AT + timedelta(seconds=4)))["openhpc"].holds
    assert not (await model.verdict("openhpc")).verdict.holds
