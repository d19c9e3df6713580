"""Hygiene: looked at with every full scan in which groups or their members changed, and shown when asked for."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from contracts.network_policy import GroupHygiene, HygieneRemark, HygieneShown, ShowHygiene
from contracts.network_policy.hygiene import MAX_GROUPS, MAX_REMARKS, MAX_RULES_OF_A_REMARK
from contracts.site import Site
from network_policy.domain.hygiene.away import ports_away
from network_policy.domain.hygiene.inspection import GroupHygiene as Looked
from network_policy.domain.hygiene.inspection import Inspection
from network_policy.domain.world import World
from network_policy.handlers.context import Context, handlers
from network_policy.store import hygiene as kept
from shared.errors import CloudError
from shared.handlers import Turn
from shared.telemetry import cleaned, logger
from shared.work import Work

MAX_NAME = 200
MAX_WORDS = 300


async def keep_hygiene(turn: Turn[Context], world: World, port_roles: Mapping[str, str], observed_at: datetime) -> None:
    """Look at every group of the world, unless the same was looked at before. `port_roles`: as recorded, by port.

    Projects are asked for after the groups were listed, so that one that is made meanwhile is not taken for missing.
    """
    projects = await _projects(turn.context)
    digest = await asyncio.to_thread(digest_of_groups, world, projects, port_roles)
    async with turn.transaction() as tx:
        before = await kept.load_scan(tx.connection)
        if before is not None and before.digest == digest:
            await kept.seen_again(tx.connection, observed_at)
            return
    looked = await asyncio.to_thread(_look, world, turn.context.site, projects, port_roles)
    async with turn.transaction() as tx:
        await kept.save_hygiene(tx.connection, digest, observed_at, looked, projects_known=projects is not None)


async def _projects(context: Context) -> frozenset[str] | None:
    """All that exist; None where nobody can tell, so that no group is said to be of none."""
    try:
        return await context.cloud.project_ids()
    except CloudError as error:
        logger().warning("hygiene.projects_unread", error=str(error)[:MAX_WORDS])
        return None


def _look(
    world: World, site: Site, projects: frozenset[str] | None, port_roles: Mapping[str, str]
) -> tuple[Looked, ...]:
    places = [prefix for zone in site.zones.values() for prefix in zone.prefixes]
    places += [prefix for endpoint in site.endpoints.values() for prefix in endpoint.prefixes]
    return tuple(Inspection(world, projects, tuple(dict.fromkeys(places)), port_roles).groups())


def digest_of_groups(world: World, projects: frozenset[str] | None, port_roles: Mapping[str, str]) -> str:
    """SHA-256 over groups, whether their projects exist, rules, address groups, and which ports with which kind of
    address are in which group, or away from which."""
    hashed = hashlib.sha256()
    for group in sorted(world.groups, key=lambda each: each.id):
        rules = [
            [each.id, str(each.rule.key()), each.unclear] for each in sorted(group.rules, key=lambda each: each.id)
        ]
        is_known = None if projects is None else group.project_id in projects
        hashed.update(json.dumps([group.id, group.name, group.project_id, is_known, rules]).encode())
    for port in sorted(world.ports, key=lambda each: each.id):
        has_ipv6 = any(":" in address for address in port.addresses)
        hashed.update(json.dumps([port.id, sorted(port.group_ids), has_ipv6]).encode())
    for group_id, away in sorted(ports_away(world, port_roles).items()):
        hashed.update(json.dumps([group_id, sorted(each.id for each in away)]).encode())
    for addresses in sorted(world.address_groups, key=lambda each: each.id):
        hashed.update(json.dumps([addresses.id, bool(addresses.prefixes)]).encode())
    return "sha256:" + hashed.hexdigest()


@handlers.answer(ShowHygiene)
async def show_hygiene(query: ShowHygiene, tx: Work[Context]) -> HygieneShown:
    """What the last full scan found; a query asks no cloud."""
    scan = await kept.load_scan(tx.connection)
    if scan is None:
        return HygieneShown(groups=())
    found, matching = await kept.load_hygiene(tx.connection, query.of, limit=MAX_GROUPS, coverage=tx.coverage)
    return HygieneShown(
        groups=tuple(_shown(each) for each in found),
        more_groups=matching - len(found),
        observed_at=scan.observed_at,
        digest=scan.digest,
        projects_known=scan.projects_known,
        all_groups=scan.groups,
        all_rules=scan.rules,
        all_least_rules=scan.least_rules,
    )


def _shown(each: kept.KeptHygiene) -> GroupHygiene:
    remarks = [
        HygieneRemark.model_validate(
            {
                "kind": remark.kind,
                "rule_ids": remark.rule_ids[:MAX_RULES_OF_A_REMARK],
                "words": cleaned(remark.words)[:MAX_WORDS],
            }
        )
        for remark in each.remarks[:MAX_REMARKS]
    ]
    return GroupHygiene(
        group_id=each.group_id,
        name=cleaned(each.name)[:MAX_NAME],
        project_id=cleaned(each.project_id)[:MAX_NAME],
        workspace=each.workspace,
        rules=each.rules,
        least_rules=each.least_rules,
        is_fewest=each.is_fewest,
        ports=each.ports,
        remarks=tuple(remarks),
        more_remarks=len(each.remarks) - len(remarks),
    )
