"""The service's memory on a real PostgreSQL: generations, attribution, adoption of names. Invariants I9, I14."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from bootstrap.leases import DatabaseLease
from contracts.network_policy import RuleDrift
from contracts.policy_tests import PolicyTest
from network_policy import store
from network_policy.domain.world import GroupRule
from network_policy.store import OpenDrift, OwnCall
from network_policy.store.policy_tests import Standing, load_tests, save_tests
from shared.clock import SystemClock
from shared.db import Connection
from shared.migrate import migrate
from tests.network_policy.enclaves import document, rule

NOW = SystemClock().now()


@pytest.fixture
async def connection(database: DatabaseLease) -> AsyncIterator[Connection]:
    """In the service's schema, as its role, migrated."""
    settings = {"search_path": "network_policy"}
    async with asyncpg.create_pool(database.dsn("network-policy"), server_settings=settings, min_size=1) as pool:
        await migrate(pool, "network-policy")
        async with pool.acquire() as found:
            yield found


async def declare(connection: Connection, generation: int = 1, project: str = "p") -> bool:
    return await store.save_declared(connection, "openhpc", generation, project, document())


async def test_what_is_saved_is_what_is_loaded(connection: Connection) -> None:
    await declare(connection)
    await store.save_networks(connection, "openhpc", 1, ["n2", "n1"])
    await store.save_node(connection, "openhpc", "login", "vm", ["port"])
    rules = [GroupRule("r", "g", rule(protocol="tcp", port_range_min=22, port_range_max=22))]
    await store.save_seen(connection, "openhpc", {"login": "g", "": "d"}, rules)
    known = await store.load(connection, "openhpc")
    assert known is not None
    assert known.document == document()
    assert known.network_ids == ("n1", "n2")
    assert known.group_ids == {"login": "g"}
    assert known.default_group_id == "d"
    assert known.rules == {"r": ("g", rules[0].rule)}
    assert known.nodes.port_roles == {"port": "login"}
    assert known.is_ready_to_enforce
    assert not known.was_enforced


async def test_a_stale_generation_changes_nothing_i9(connection: Connection) -> None:
    assert await declare(connection, 3, "new")
    assert not await declare(connection, 2, "old")
    assert not await store.save_deleting(connection, "openhpc", 2, "old")
    assert not await store.emptied(connection, "openhpc", 2, "old")
    known = await store.load(connection, "openhpc")
    assert known is not None
    assert (known.generation, known.state, known.project_id) == (3, "declared", "new")


async def test_networks_of_an_older_generation_do_not_replace_newer_ones_i9(connection: Connection) -> None:
    await declare(connection, 3)
    assert await store.save_networks(connection, "openhpc", 3, ["new"])
    assert not await store.save_networks(connection, "openhpc", 2, ["old"])


async def test_deleting_does_not_undo_emptied(connection: Connection) -> None:
    await declare(connection)
    assert await store.emptied(connection, "openhpc", 2, "p")
    assert not await store.save_deleting(connection, "openhpc", 2, "p")
    known = await store.load(connection, "openhpc")
    assert known is not None
    assert known.state == "emptied"


async def test_a_workspace_that_was_never_declared_can_be_emptied(connection: Connection) -> None:
    assert await store.emptied(connection, "never", 1, None)
    known = await store.load(connection, "never")
    assert known is not None
    assert (known.state, known.project_id) == ("emptied", None)


async def test_withdrawn_forgets_the_clouds_ids_and_a_new_generation_begins_anew(connection: Connection) -> None:
    await declare(connection)
    await store.save_networks(connection, "openhpc", 1, ["n"])
    await store.save_seen(connection, "openhpc", {"login": "g"}, [])
    await store.emptied(connection, "openhpc", 2, "p")
    await store.withdrawn(connection, "openhpc")
    assert await store.workspaces_about(connection, ["p"], ["g", "n"]) == []
    assert not await store.emptied(connection, "openhpc", 2, "p")
    assert await declare(connection, 3, "other")
    known = await store.load(connection, "openhpc")
    assert known is not None
    assert (known.state, known.group_ids, known.is_ready_to_enforce) == ("declared", {}, False)


@pytest.mark.parametrize("found_by", ["p", "n", "g", "r", "port", "vm"])
async def test_a_notification_finds_its_workspace_by_any_id(connection: Connection, found_by: str) -> None:
    await declare(connection)
    await store.save_networks(connection, "openhpc", 1, ["n"])
    await store.save_node(connection, "openhpc", "login", "vm", ["port"])
    await store.save_seen(connection, "openhpc", {"login": "g"}, [GroupRule("r", "g", rule())])
    projects = [found_by] if found_by == "p" else []
    assert await store.workspaces_about(connection, projects, [found_by]) == ["openhpc"]
    assert await store.workspaces_about(connection, ["x"], ["x"]) == []


async def test_a_rule_that_is_gone_is_known_until_the_next_look(connection: Connection) -> None:
    await declare(connection)
    await store.save_seen(connection, "openhpc", {"login": "g"}, [GroupRule("r", "g", rule())])
    await store.save_seen(connection, "openhpc", {"login": "g"}, [])
    assert await store.workspaces_about(connection, [], ["r"]) == []


async def test_the_latest_change_of_a_resource_explains_it(connection: Connection) -> None:
    await declare(connection)
    for actor in ("first", "second"):
        await store.note_change(
            connection, "openhpc", ["r", "g"], "security_group_rule.create.end",
            happened_at=NOW, seen_at=NOW, actor=actor, request_id=f"req-{actor}",
        )  # fmt: skip
    changes = await store.change_of(connection, "openhpc", ["r", "unseen"])
    assert {key: change.actor for key, change in changes.items()} == {"r": "second"}
    await store.forget_changes(connection, NOW + timedelta(days=2))
    assert await store.change_of(connection, "openhpc", ["r"]) == {}


async def test_an_own_call_is_known_by_its_request_id_for_a_while(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO intent (intent_id, key, step, marker, request_id, fence, state, sent_at)"
        " VALUES (gen_random_uuid(), 'openhpc', 'rule.delete', 'r', 'req-ours', 1, 'done', $1)",
        NOW,
    )
    ours = {"req-ours": OwnCall("rule.delete", "r", None)}
    assert await store.own_calls(connection, ["req-ours", "req-theirs"], NOW) == ours
    assert not await store.own_calls(connection, ["req-ours"], NOW + timedelta(hours=1))


async def test_open_drift_survives_a_restart_word_for_word(connection: Connection) -> None:
    await declare(connection)
    drift = OpenDrift(detected_at=NOW, untold=RuleDrift(change="group-missing", role="login"))
    await store.save_told(
        connection, "openhpc", open_drift={"key": drift}, violation="v", suspect=True,
        enforced_generation=1, enforced_groups={"login": "g"},
    )  # fmt: skip
    known = await store.load(connection, "openhpc")
    assert known is not None
    assert known.open_drift == {"key": drift}
    assert known.was_enforced
    assert (known.violation, known.suspect, dict(known.enforced_groups)) == ("v", True, {"login": "g"})


async def test_an_older_observation_does_not_replace_a_newer_verdict_i9(connection: Connection) -> None:
    await declare(connection)
    for proof, observed_at in (("sha256:new", NOW), ("sha256:old", NOW - timedelta(seconds=5))):
        await store.save_verdict(
            connection, "openhpc", verdict="isolated", proof=proof, observed_at=observed_at, groups=2, rules=3, ports=4,
            counterexamples=(), reach=(), assumptions=(),
        )  # fmt: skip
    assert await connection.fetchval("SELECT proof FROM workspace") == "sha256:new"


async def test_a_workspace_that_is_gone_leaves_no_policy_tests_to_its_namesake(connection: Connection) -> None:
    tests = [PolicyTest.model_validate({"name": "x", "from": "role:login", "to": "internet", "expect": "denied"})]
    await declare(connection)
    await save_tests(connection, "openhpc", tests, {"x": Standing(result="failed", told=True)})
    known = await store.load(connection, "openhpc")
    assert known is not None
    assert known.tests == tuple(tests)
    await store.emptied(connection, "openhpc", 2, "p")
    await store.withdrawn(connection, "openhpc")
    assert await load_tests(connection, "openhpc") is None
    await declare(connection, 3)
    kept = await load_tests(connection, "openhpc")
    assert kept is not None
    assert (kept.tests, kept.standings) == ((), {})
