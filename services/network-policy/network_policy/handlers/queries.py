"""The isolation shown, from the last verdict: a query asks no cloud."""

import json

from contracts.network_policy import (
    Counterexample,
    IsolationShown,
    Quarantine,
    RoleReach,
    ShowIsolation,
    WorkspaceIsolation,
)
from contracts.workspace import Workspace
from network_policy import store
from network_policy.domain.beyond import from_outside, to_outside
from network_policy.handlers.context import Context, handlers
from shared.work import Work

MAX_SHOWN = 250
"""Of one answer, which has to fit into a message; the asker goes on after the last one."""
_STALE_SCANS = 4
"""After so many periods without a look, what was proven is no longer known."""


@handlers.answer(ShowIsolation)
async def show_isolation(query: ShowIsolation, tx: Work[Context]) -> IsolationShown:
    """The verdict of each workspace, with the bound on its age; one without a recent look is unknown."""
    rows = await tx.connection.fetch(
        "SELECT * FROM workspace WHERE state <> 'withdrawn' AND ($1::text IS NULL OR workspace = $1)"
        " AND ($2::text IS NULL OR workspace > $2) AND workspace LIKE ANY ($4::text[]) ORDER BY workspace LIMIT $3",
        query.of,
        query.after,
        MAX_SHOWN + 1,
        tx.coverage.like,
    )
    quarantined: dict[str, list[Quarantine]] = {}
    for held in await store.list_quarantines(
        tx.connection, query.of, ended=False, limit=MAX_SHOWN, coverage=tx.coverage
    ):
        quarantined.setdefault(held.workspace, []).append(held)
    shown: list[WorkspaceIsolation] = []
    assumptions: dict[str, None] = {}
    for row in rows[:MAX_SHOWN]:
        observed = row["observed_at"]
        age = (tx.now - observed).total_seconds() if observed else None
        is_known = age is not None and age <= _STALE_SCANS * tx.context.scan_seconds
        counterexamples = [Counterexample.model_validate(each) for each in json.loads(row["counterexamples"])]
        reach = [RoleReach.model_validate(each) for each in json.loads(row["reach"])]
        document = Workspace.model_validate_json(row["document"]) if row["document"] else None
        assumptions |= dict.fromkeys(json.loads(row["assumptions"]))
        shown.append(
            WorkspaceIsolation(
                workspace=row["workspace"],
                verdict=row["verdict"] if is_known else "unknown",
                generation=row["generation"],
                proof=row["proof"],
                proven_at=observed if row["verdict"] == "isolated" else None,
                groups=row["group_count"],
                rules=row["rule_count"],
                ports=row["port_count"],
                counterexamples=tuple(counterexamples),
                reach=tuple(reach) if query.of else (),
                from_outside=from_outside(reach, document),
                to_outside=to_outside(reach, document),
                quarantined=tuple(map(_quarantine_words, quarantined.get(row["workspace"], ()))),
            )
        )
    return IsolationShown(
        workspaces=tuple(shown),
        staleness_seconds=bound_seconds(tx.context),
        scan_age_seconds=await _scan_age_seconds(tx),
        truncated=len(rows) > MAX_SHOWN,
        assumptions=tuple(assumptions),
    )


async def _scan_age_seconds(tx: Work[Context]) -> float | None:
    """Of the last full scan that this database knows of, whichever replica made it."""
    last = await tx.connection.fetchval("SELECT max(ended_at) FROM observed_span")
    return max(0.0, (tx.now - last).total_seconds()) if last is not None else None


def _quarantine_words(held: Quarantine) -> str:
    what = f"role {held.role}" if held.role else f"node {held.node}" if held.node else "the whole workspace"
    ports = "1 port" if held.ports == 1 else f"{held.ports} ports"
    since = held.cut_at or held.ordered_at
    return f"{what}: {ports} since {since:%Y-%m-%d %H:%M:%S} UTC, by {held.holder}: {held.reason}"


def bound_seconds(context: Context) -> float:
    """How old the last look may be where OpenStack is silent: the scan's period with its jitter of a fifth."""
    return round(context.scan_seconds * 1.2, 1)
