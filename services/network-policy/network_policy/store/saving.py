"""Writes of what was declared, seen and proven. A stale generation never overwrites a newer one (I9)."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime

from contracts.network_policy import Counterexample, RoleReach
from contracts.workspace import Workspace
from network_policy.domain.world import GroupRule
from network_policy.store.known import OpenDrift, rule_to_json
from network_policy.store.quarantines import open_quarantines
from shared.db import Connection

_DECLARED = """
INSERT INTO workspace (workspace, generation, state, project_id, document) VALUES ($1, $2, 'declared', $3, $4)
ON CONFLICT (workspace) DO UPDATE SET generation = $2, state = 'declared', project_id = $3, document = $4,
    networks_generation = CASE WHEN workspace.project_id = $3 THEN workspace.networks_generation END
WHERE workspace.generation < $2 OR (workspace.generation = $2 AND workspace.state = 'declared')
RETURNING 1
"""
_NETWORKS = """
UPDATE workspace SET network_ids = $3, networks_generation = $2
WHERE workspace = $1 AND coalesce(networks_generation, 0) <= $2 AND state = 'declared' RETURNING 1
"""
_ENDING = """
INSERT INTO workspace (workspace, generation, state, project_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (workspace) DO UPDATE SET generation = $2, state = $3,
    project_id = coalesce(workspace.project_id, excluded.project_id)
WHERE workspace.generation < $2
   OR (workspace.generation = $2 AND workspace.state <> 'withdrawn'
       AND NOT (workspace.state = 'emptied' AND excluded.state = 'deleting'))
RETURNING 1
"""
_NODE = """
INSERT INTO node_port (port_id, workspace, role, server_id) SELECT port_id, $1, $2, $3 FROM unnest($4::text[]) AS port_id
ON CONFLICT (port_id) DO UPDATE SET role = $2, server_id = $3 WHERE node_port.workspace = $1
"""
_GROUP = """
INSERT INTO role_group (workspace, role, group_id) VALUES ($1, $2, $3)
ON CONFLICT (workspace, role) DO UPDATE SET group_id = $3
"""
_GROUPS = """
INSERT INTO role_group (workspace, role, group_id) SELECT $1, role, group_id
FROM unnest($2::text[], $3::text[]) AS seen (role, group_id)
ON CONFLICT (workspace, role) DO UPDATE SET group_id = excluded.group_id
"""
_RULES = """
INSERT INTO known_rule (rule_id, workspace, group_id, rule)
SELECT rule_id, $1, group_id, rule FROM unnest($2::text[], $3::text[], $4::jsonb[]) AS seen (rule_id, group_id, rule)
ON CONFLICT (rule_id) DO NOTHING
"""
_VERDICT = """
UPDATE workspace SET verdict = $2, proof = $3, observed_at = $4, group_count = $5, rule_count = $6, port_count = $7,
    counterexamples = $8, reach = $9, assumptions = $10
WHERE workspace = $1 AND coalesce(observed_at, '-infinity') <= $4
"""


async def save_declared(
    connection: Connection, workspace: str, generation: int, project_id: str, document: Workspace
) -> bool:
    """Remember the document. False when a newer generation is known."""
    body = document.model_dump_json(by_alias=True)
    return bool(await connection.fetchval(_DECLARED, workspace, generation, project_id, body))


async def save_networks(connection: Connection, workspace: str, generation: int, network_ids: Iterable[str]) -> bool:
    """Remember that the networks exist. False when the workspace is not known or newer networks are."""
    return bool(await connection.fetchval(_NETWORKS, workspace, generation, sorted(network_ids)))


async def save_deleting(connection: Connection, workspace: str, generation: int, project_id: str | None) -> bool:
    """Remember that the workspace is being deleted; its policy is kept while it has ports."""
    return bool(await connection.fetchval(_ENDING, workspace, generation, "deleting", project_id))


async def may_clear_deletion(connection: Connection, workspace: str) -> int | None:
    """The generation of a deletion that no quarantine stands in the way of; None where there is none, or one does.

    Holds the workspace's row: of a deletion that begins and a quarantine that ends at once, the later sees the earlier.
    """
    row = await connection.fetchrow(
        "SELECT generation, state FROM workspace WHERE workspace = $1 FOR UPDATE", workspace
    )
    if row is None or row["state"] != "deleting" or await open_quarantines(connection, workspace):
        return None
    return int(row["generation"])


async def emptied(connection: Connection, workspace: str, generation: int, project_id: str | None) -> bool:
    """Remember that no port is left: the groups may go. False when it is withdrawn already."""
    return bool(await connection.fetchval(_ENDING, workspace, generation, "emptied", project_id))


async def withdrawal_held(connection: Connection, workspace: str, since: datetime, told: Iterable[str]) -> None:
    """Remember that ports hold the withdrawal up, and which of them were told of."""
    await connection.execute(
        "UPDATE workspace SET held_since = $2, held_by = $3 WHERE workspace = $1", workspace, since, list(told)
    )


async def withdrawn(connection: Connection, workspace: str) -> None:
    """Nothing of the workspace's policy is left in the cloud: forget what was in it."""
    for table in ("role_group", "known_rule", "node_port", "seen_change", "prompt_repair"):
        await connection.execute(f"DELETE FROM {table} WHERE workspace = $1", workspace)  # noqa: S608  # our own names
    await connection.execute(
        "UPDATE workspace SET state = 'withdrawn', network_ids = '{}', networks_generation = NULL,"
        " enforced_generation = NULL, enforced_groups = '{}', open_drift = '{}', violation = '', suspect = false,"
        " held_since = NULL, held_by = '{}',"
        " policy_tests = '[]', policy_test_results = '{}', policy_tests_observed_at = NULL"
        " WHERE workspace = $1",
        workspace,
    )


async def save_node(connection: Connection, workspace: str, role: str, server_id: str, port_ids: Iterable[str]) -> None:
    """Remember a node's role, by its ports; a port stays with the workspace that had it first."""
    await connection.execute(_NODE, workspace, role, server_id, sorted(port_ids))


async def save_group(connection: Connection, workspace: str, role: str, group_id: str) -> None:
    """Remember the group of a role; of role '' the project's default group."""
    await connection.execute(_GROUP, workspace, role, group_id)


async def save_seen(
    connection: Connection, workspace: str, groups: Mapping[str, str], rules: Iterable[GroupRule]
) -> None:
    """Remember the groups (by role) and rules that were seen, and forget those that were not."""
    await connection.execute(
        "DELETE FROM role_group WHERE workspace = $1 AND NOT group_id = ANY($2)", workspace, list(groups.values())
    )
    await connection.execute(_GROUPS, workspace, list(groups), list(groups.values()))
    seen = sorted(rules, key=lambda each: each.id)
    await connection.execute(
        "DELETE FROM known_rule WHERE workspace = $1 AND NOT rule_id = ANY($2)", workspace, [each.id for each in seen]
    )
    await connection.execute(
        _RULES,
        workspace,
        [each.id for each in seen],
        [each.group_id for each in seen],
        [rule_to_json(each.rule) for each in seen],
    )


async def save_verdict(
    connection: Connection,
    workspace: str,
    *,
    verdict: str,
    proof: str | None,
    observed_at: datetime,
    groups: int,
    rules: int,
    ports: int,
    counterexamples: Iterable[Counterexample],
    reach: Iterable[RoleReach],
    assumptions: Iterable[str],
) -> None:
    """Remember what was proven on what was observed then; an older observation changes nothing."""
    await connection.execute(
        _VERDICT,
        workspace,
        verdict,
        proof,
        observed_at,
        groups,
        rules,
        ports,
        json.dumps([each.model_dump(mode="json") for each in counterexamples]),
        json.dumps([each.model_dump(mode="json") for each in reach]),
        json.dumps(list(assumptions)),
    )


async def save_told(
    connection: Connection,
    workspace: str,
    *,
    open_drift: Mapping[str, OpenDrift],
    violation: str,
    suspect: bool,
    enforced_generation: int | None,
    enforced_groups: Mapping[str, str],
) -> None:
    """Remember what the others were told, so that nothing is told twice."""
    await connection.execute(
        "UPDATE workspace SET open_drift = $2, violation = $3, suspect = $4, enforced_generation = $5,"
        " enforced_groups = $6 WHERE workspace = $1",
        workspace,
        json.dumps({key: drift.model_dump(mode="json") for key, drift in open_drift.items()}),
        violation,
        suspect,
        enforced_generation,
        json.dumps(dict(enforced_groups)),
    )


async def set_suspect(connection: Connection, workspace: str) -> None:
    """Have the next look at the workspace prove over all projects."""
    await connection.execute("UPDATE workspace SET suspect = true WHERE workspace = $1", workspace)
