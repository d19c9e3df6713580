"""The isolation of more workspaces than one answer holds, asked for by an operator."""

import json
from pathlib import Path
from xml.etree import ElementTree

import asyncpg

from bootstrap.leases import BrokerLease, DatabaseLease
from contracts.network_policy import IsolationShown, ShowIsolation
from network_policy.handlers.queries import MAX_SHOWN
from shared.testing import Site
from tests.network_policy.stage import Stage
from tests.operator_cli.conftest import run_tresor
from tests.place import Place

COUNT = MAX_SHOWN + 60


async def test_every_workspace_is_shown_and_drawn(
    site: Site, place: Place, stage: Stage, broker: BrokerLease, database: DatabaseLease, tmp_path: Path
) -> None:
    await stage.service(scan_seconds=3600.0)
    connection = await asyncpg.connect(database.dsn("network-policy"))
    try:
        await connection.executemany(
            "INSERT INTO network_policy.workspace (workspace, generation, state, verdict, observed_at)"
            " VALUES ($1, 1, 'deleting', 'isolated', now())",
            [(f"genome-{number:03}",) for number in range(COUNT)],
        )
    finally:
        await connection.close()
    first = await site.ask(ShowIsolation())
    assert isinstance(first, IsolationShown)
    assert (len(first.workspaces), first.truncated) == (MAX_SHOWN, True)
    rest = await site.ask(ShowIsolation(after=first.workspaces[-1].workspace))
    assert isinstance(rest, IsolationShown)
    assert (len(rest.workspaces), rest.truncated) == (COUNT - MAX_SHOWN, False)
    settings = {
        "TRESOR_AMQP_URL": broker.url_of("operator"),
        "TRESOR_SIGNING_KEY_PATH": str(site.keys.path("ana")),
        "TRESOR_KEYRING_PATH": str(site.keys.keyring_path),
    }
    ended = await run_tresor("isolation", "-o", "json", "--svg", "all.svg", folder=tmp_path, environment=settings)
    assert ended.code == 0, ended.err
    names = {f"genome-{number:03}" for number in range(COUNT)}
    assert {each["workspace"] for each in json.loads(ended.out)["workspaces"]} == names
    drawn = {each.text for each in ElementTree.parse(tmp_path / "all.svg").iter() if each.tag.endswith("}text")}
    assert names <= drawn
