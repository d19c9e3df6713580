"""What a key for some workspaces is told where all are asked about: theirs, and what is nobody's."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.envelope import Query
from contracts.network_policy import (
    DuplicateFound,
    ListDuplicates,
    ListQuarantines,
    ShowHistory,
    ShowHygiene,
    ShowIsolation,
)
from contracts.site import Site
from network_policy import store
from network_policy.handlers import handlers
from network_policy.handlers.context import Context
from network_policy.store.duplicates import save_duplicate
from shared.clock import SystemClock
from shared.db import Connection
from shared.signing import EVERYTHING, Coverage
from shared.work import Work
from tests.network_policy.enclaves import document
from tests.network_policy.test_store import connection

__all__ = ["connection"]

NOW = SystemClock().now()
WORKSPACES = ("genome-1", "physics-1", "physics-2")
BOTH = Coverage(("physics-*",))


async def told(connection: Connection, query: Query, coverage: Coverage) -> Any:
    """The answer to somebody whose key covers that."""
    identity = cast(Any, SimpleNamespace(clock=SystemClock()))
    context = Context(Site(name="test"), cast(Any, None), is_enforcing=True, scan_seconds=60)
    work: Work[Context] = Work(connection, identity, context, coverage=coverage)
    return await handlers.queries[query.type][1](query, work)


@pytest.fixture(autouse=True)
async def known(connection: Connection) -> None:
    """Three workspaces with a quarantine, a group worth a remark and a duplicate each."""
    found = DuplicateFound.model_validate(DuplicateFound.example).duplicate
    for number, name in enumerate(WORKSPACES):
        await store.save_declared(connection, name, 1, f"project-{name}", document().model_copy(update={"name": name}))
        await connection.execute(
            "INSERT INTO workspace_quarantine (quarantine_id, workspace, reason, holder, command_ids, ordered_at)"
            " VALUES (gen_random_uuid(), $1, 'seen', 'ana', '{}', $2)",
            name,
            NOW,
        )
        await hygiene(connection, f"project-{name}")
        ports = tuple(port.model_copy(update={"workspace": name}) for port in found.ports)
        one = found.model_copy(update={"mac_address": f"fa:16:3e:00:00:0{number}", "ports": ports})
        await save_duplicate(connection, one, NOW)
    await hygiene(connection, "platform")
    nobodys = tuple(port.model_copy(update={"workspace": None}) for port in found.ports)
    await save_duplicate(connection, found.model_copy(update={"ports": nobodys}), NOW)
    await connection.execute(
        "INSERT INTO hygiene_scan (digest, observed_at, group_count, rule_count, least_rule_count) VALUES ('sha256:' || repeat('0', 64), $1, 4, 4, 4)",
        NOW,
    )


async def hygiene(connection: Connection, project: str) -> None:
    await connection.execute("INSERT INTO group_hygiene VALUES ($1, 'group', $1, 1, 1, true, 0, '[]')", project)


async def test_verdicts_and_their_pages(connection: Connection) -> None:
    async def names(coverage: Coverage, after: str | None = None) -> list[str]:
        answer = await told(connection, ShowIsolation(after=after), coverage)
        assert not answer.truncated
        return [one.workspace for one in answer.workspaces]

    assert await names(EVERYTHING) == list(WORKSPACES)
    assert await names(BOTH) == ["physics-1", "physics-2"]
    assert await names(BOTH, "physics-1") == ["physics-2"]
    assert await names(Coverage(("physics-?", "genome-1"))) == list(WORKSPACES)
    assert await names(Coverage(("physics",))) == []


async def test_a_page_holds_as_many_as_there_are_of_ones_own(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("network_policy.handlers.queries.MAX_SHOWN", 1)
    answer = await told(connection, ShowIsolation(), BOTH)
    assert ([one.workspace for one in answer.workspaces], answer.truncated) == (["physics-1"], True)


async def test_quarantines(connection: Connection) -> None:
    answer = await told(connection, ListQuarantines(), BOTH)
    assert {one.workspace for one in answer.quarantines} == {"physics-1", "physics-2"}


async def test_hygiene_of_ones_own_and_of_nobodys(connection: Connection) -> None:
    answer = await told(connection, ShowHygiene(), BOTH)
    assert {one.workspace for one in answer.groups} == {"physics-1", "physics-2", None}
    assert answer.more_groups == 0


async def test_duplicates_that_touch_ones_own_or_nobody(connection: Connection) -> None:
    answer = await told(connection, ListDuplicates(), BOTH)
    assert [{port.workspace for port in one.ports} for one in answer.duplicates] == [
        {"physics-1"},
        {"physics-2"},
        {None},
    ]


async def test_verdicts_of_the_past(connection: Connection) -> None:
    query = ShowHistory(begin=NOW - timedelta(minutes=1))
    for coverage, expected in ((EVERYTHING, list(WORKSPACES)), (BOTH, ["physics-1", "physics-2"])):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "network_policy.handlers.past.declarations",
                lambda *_: [SimpleNamespace(workspace=name, generation=1) for name in WORKSPACES],
            )
            answer = await told(connection, query, coverage)
        assert [one.workspace for one in answer.verdicts] == expected
