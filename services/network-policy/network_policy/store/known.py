"""A workspace as it is remembered."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from contracts.network_policy import RuleDrift
from contracts.policy_tests import PolicyTest
from contracts.workspace import Workspace
from network_policy.domain.drift import Nodes
from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.store.policy_tests import tests_from_json
from network_policy.store.quarantines import Held, confinement, open_quarantines
from shared.db import Connection

State = Literal["declared", "deleting", "emptied", "withdrawn"]


class OpenDrift(BaseModel):
    """A difference between its discovery and the telling of its repair."""

    model_config = ConfigDict(frozen=True)

    detected_at: datetime
    happened_at: datetime | None = None
    """When OpenStack's notification of it was made, if there was one."""
    untold: RuleDrift | None = None
    """Set while nobody was told: the notification that names who did it may be on its way."""
    gone_at: datetime | None = None
    """When it was seen to be repaired."""


@dataclass(frozen=True)
class Known:
    """What is declared for a workspace and what was last told of it."""

    workspace: str
    generation: int
    state: State
    project_id: str | None
    document: Workspace | None
    network_ids: tuple[str, ...]
    networks_generation: int | None
    enforced_generation: int | None
    enforced_groups: Mapping[str, str]
    open_drift: Mapping[str, OpenDrift]
    """What is not told or not repaired, by its digest."""
    violation: str
    """Digest of the counterexamples that were told; empty while isolation holds."""
    suspect: bool
    """Whether the full scan saw a way in or out that a look at the workspace alone may miss."""
    observed_at: datetime | None
    group_ids: Mapping[str, str] = field(default_factory=dict)
    """By role, as recorded."""
    default_group_id: str | None = None
    rules: Mapping[str, tuple[str, Rule]] = field(default_factory=dict)
    """Group and rule by id, as last seen."""
    nodes: Nodes = field(default_factory=lambda: Nodes({}))
    tests: tuple[PolicyTest, ...] = ()
    """What must hold beside the document."""
    quarantines: tuple[Held, ...] = ()
    """Those that have not ended."""
    scanned_at: datetime | None = None
    """When the last full scan began that wrote into the history."""
    held_since: datetime | None = None
    """When ports first held its withdrawal up."""
    held_by: tuple[str, ...] = ()
    """Those that were told of."""

    @property
    def is_ready_to_enforce(self) -> bool:
        """Whether the document and the networks are there."""
        return self.document is not None and self.project_id is not None and self.networks_generation is not None

    @property
    def was_enforced(self) -> bool:
        """Whether this generation's policy stood once: from then on a difference is drift, not work to do."""
        return self.enforced_generation is not None and self.enforced_generation >= self.generation


def rule_to_json(rule: Rule) -> str:
    """A rule for the database."""
    return json.dumps(asdict(rule))


def rule_from_json(text: str) -> Rule:
    """A rule from the database."""
    fields: dict[str, Any] = json.loads(text)
    remote = fields.pop("remote")
    return Rule(**fields, remote=Remote(RemoteKind(remote["kind"]), remote["value"]))


_WORKSPACES = """
SELECT *, (SELECT max(ended_at) FROM observed_span) AS scanned_at, ARRAY(SELECT quarantine_id FROM workspace_quarantine AS q
                WHERE q.workspace = workspace.workspace AND q.state <> 'released') AS quarantine_ids
FROM workspace WHERE workspace = ANY($1) OR ($1 IS NULL AND state IN ('declared', 'deleting'))
"""


async def load(connection: Connection, workspace: str) -> Known | None:
    """All that is remembered of one workspace."""
    found = await _load(connection, [workspace])
    return found[0] if found else None


async def load_all(connection: Connection) -> tuple[Known, ...]:
    """All workspaces whose policy is to be kept."""
    return await _load(connection, None)


async def _load(connection: Connection, names: list[str] | None) -> tuple[Known, ...]:
    rows = await connection.fetch(_WORKSPACES, names)
    wanted = [row["workspace"] for row in rows]
    groups: dict[str, dict[str, str]] = {}
    for row in await connection.fetch("SELECT * FROM role_group WHERE workspace = ANY($1)", wanted):
        groups.setdefault(row["workspace"], {})[row["role"]] = row["group_id"]
    rules: dict[str, dict[str, tuple[str, Rule]]] = {}
    for row in await connection.fetch("SELECT * FROM known_rule WHERE workspace = ANY($1)", wanted):
        rules.setdefault(row["workspace"], {})[row["rule_id"]] = (row["group_id"], rule_from_json(row["rule"]))
    ports: dict[str, dict[str, str]] = {}
    servers: dict[str, set[str]] = {}
    for row in await connection.fetch("SELECT * FROM node_port WHERE workspace = ANY($1)", wanted):
        ports.setdefault(row["workspace"], {})[row["port_id"]] = row["role"]
        servers.setdefault(row["workspace"], set()).add(row["server_id"])
    held = {
        row["workspace"]: await open_quarantines(connection, row["workspace"]) for row in rows if row["quarantine_ids"]
    }
    return tuple(
        Known(
            workspace=(name := row["workspace"]),
            generation=row["generation"],
            state=row["state"],
            project_id=row["project_id"],
            document=Workspace.model_validate_json(row["document"]) if row["document"] else None,
            network_ids=tuple(row["network_ids"]),
            networks_generation=row["networks_generation"],
            enforced_generation=row["enforced_generation"],
            enforced_groups=json.loads(row["enforced_groups"]),
            open_drift={key: OpenDrift.model_validate(each) for key, each in json.loads(row["open_drift"]).items()},
            violation=row["violation"],
            suspect=row["suspect"],
            observed_at=row["observed_at"],
            tests=tests_from_json(row["policy_tests"]),
            group_ids={role: group_id for role, group_id in groups.get(name, {}).items() if role},
            default_group_id=groups.get(name, {}).get(""),
            rules=rules.get(name, {}),
            nodes=Nodes(ports.get(name, {}), frozenset(servers.get(name, ())), confinement(held.get(name, ()))),
            quarantines=held.get(name, ()),
            scanned_at=row["scanned_at"],
            held_since=row["held_since"],
            held_by=tuple(row["held_by"]),
        )
        for row in rows
    )
