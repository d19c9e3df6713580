"""Answers about the past, from the history alone."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from pydantic import ValidationError

from contracts.envelope import Problem
from contracts.network_policy import Counterexample
from contracts.network_policy.history import MAX_SPANS, HistoryShown, OpenSpan, PastVerdict, RuleOrigin, ShowHistory
from contracts.network_policy.history import Unknown as NotKnown
from contracts.site import Site
from network_policy import store
from network_policy.domain.past import Declared, declared_of, ends_in, passing
from network_policy.domain.policy_tests.ends import UnknownEnd
from network_policy.domain.proof import Prover
from network_policy.domain.world import World
from network_policy.handlers.context import Context, handlers
from network_policy.handlers.queries import bound_seconds
from network_policy.store.history import WORKSPACES, TooMuch, Version
from shared.errors import Rejected
from shared.work import Work

MAX_MOMENTS = 400
"""Changes that one answer goes through."""
MAX_PACKETS = 20
_PROJECT_OF = "SELECT project_id FROM history WHERE kind = 'workspaces' AND resource_id = ANY($1)"


@handlers.answer(ShowHistory)
async def show_history(query: ShowHistory, tx: Work[Context]) -> HistoryShown:
    """What was possible then, as far as it was observed."""
    begin, end = query.begin, min(query.end or query.begin, max(tx.now, query.begin))
    known = await store.known_spans(tx.connection)
    unknown = gaps(known, begin, end, bound_seconds(tx.context))
    first = known[0][0] if known else None
    site = tx.context.site
    if query.source is None or query.target is None or query.of is None:
        found = await _versions(tx, begin, begin, None)
        is_whole = first is not None and begin >= first
        verdicts = await asyncio.to_thread(verdicts_at, found, begin, site, query.of, unknown, is_whole=is_whole)
        told = tuple(each for each in verdicts if tx.coverage.covers(each.workspace))
        return HistoryShown(
            begin=begin, end=begin, verdicts=told, unknown=unknown, bound_seconds=bound_seconds(tx.context)
        )
    meant = [query.of, *(each.partition(":")[2] for each in (query.source, query.target) if "workspace:" in each)]
    is_everybody = "others" in (query.source, query.target) or "anywhere" in (query.source, query.target)
    projects = [row["project_id"] for row in await tx.connection.fetch(_PROJECT_OF, meant)]
    ends = [each for each in (query.source, query.target) if ":" not in each or "prefix:" in each]
    is_named = any(each not in ("outside", "internet", "workspace") for each in ends)
    found = await _versions(tx, begin, end, None if is_everybody or is_named else projects)
    try:
        spans, problem, complete_until = await asyncio.to_thread(open_spans, found, begin, end, site, query, first)
    except ValidationError as error:
        raise Rejected(str(error.errors()[0]["msg"])) from None
    return HistoryShown(
        begin=begin,
        end=end,
        spans=spans[:MAX_SPANS],
        problem=problem,
        unknown=unknown,
        complete_until=complete_until,
        bound_seconds=bound_seconds(tx.context),
    )


async def _versions(
    tx: Work[Context], begin: datetime, end: datetime, projects: Sequence[str] | None
) -> tuple[Version, ...]:
    """What stood then; all of it, or the question is refused."""
    try:
        return await store.versions(tx.connection, begin, end, projects)
    except TooMuch as error:
        narrower = []
        if end > begin:
            narrower.append(f"ask about a shorter time than {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC")
        if projects is None:
            narrower.append(
                "ask from and to ends in a workspace, `workspace:<name>` or a role, so that only its is read"
            )
        raise Rejected(
            Problem(reason=str(error), remedy=", or ".join(narrower) or "ask about an earlier time")
        ) from None


def gaps(
    known: Sequence[tuple[datetime, datetime]], begin: datetime, end: datetime, bound: float
) -> tuple[NotKnown, ...]:
    """The parts of the time that no scans surround."""
    if not known:
        return (NotKnown(begin=begin, end=end, why="nothing was observed yet"),)
    found: list[NotKnown] = []
    first = known[0][0]
    if begin < first:
        why = f"before the first observation, {first:%Y-%m-%d %H:%M:%S} UTC"
        found.append(NotKnown(begin=begin, end=min(end, first), why=why))
    for (_, left), (right, _) in pairwise(known):
        if left < end and right > begin:
            why = "no scan was made: changes in it are known only where they still stood after"
            found.append(NotKnown(begin=max(begin, left), end=min(end, right), why=why))
    last = known[-1][1] + timedelta(seconds=bound)
    if end > last:
        why = f"after the latest observation, {known[-1][1]:%Y-%m-%d %H:%M:%S} UTC"
        found.append(NotKnown(begin=max(begin, last), end=end, why=why))
    return tuple(found)


def declarations(found: Iterable[Version], at: datetime, site: Site) -> list[Declared]:
    """What was declared at that time."""
    made = (
        declared_of(each.resource_id, each.project_id, json.loads(each.body), site)
        for each in found
        if each.kind == WORKSPACES and each.stood_at(at)
    )
    return [each for each in made if each is not None]


def verdicts_at(
    found: Sequence[Version], at: datetime, site: Site, of: str | None, unknown: Sequence[NotKnown], *, is_whole: bool
) -> tuple[PastVerdict, ...]:
    """The proof over the world as it was; none over a part of it, as it stands before the first full scan."""
    world = store.world_at(found, at)
    known = declarations(found, at, site)
    wanted = sorted((each for each in known if of in (None, each.workspace)), key=lambda each: each.workspace)
    if of is not None and not wanted:
        return (PastVerdict(workspace=of, verdict="unknown"),)
    if not is_whole:
        return tuple(
            PastVerdict(workspace=each.workspace, verdict="unknown", generation=each.generation) for each in wanted
        )
    prover = Prover(world, [each.claim(world) for each in known])
    told = []
    for each in wanted:
        verdict = prover.prove(each.workspace)
        certain: Literal["unknown", "isolated"] = "unknown" if unknown else "isolated"
        told.append(
            PastVerdict(
                workspace=each.workspace,
                verdict=certain if verdict.holds else "violated",
                generation=each.generation,
                proof=verdict.digest if verdict.holds else None,
                counterexamples=verdict.counterexamples[:MAX_PACKETS],
            )
        )
    return tuple(told)


def open_spans(
    found: Sequence[Version], begin: datetime, end: datetime, site: Site, query: ShowHistory, first: datetime | None
) -> tuple[tuple[OpenSpan, ...], str, datetime | None]:
    """The times through which some rules let something pass; why nothing was tried; how far it was gone through.

    `first`: when the whole cloud was first seen; packets over a part of it would be mere guesses. Raises ValidationError for what is no end.
    """
    assert query.source is not None
    assert query.target is not None
    assert query.of is not None
    if first is None or end < first:
        ends_in(World(), query.source, query.target)  # what makes no sense is said all the same
        return (), "", None
    begin = max(begin, first)
    changed = {moment for each in found for moment in (each.valid_from, each.valid_until) if moment}
    moments = [begin, *sorted(moment for moment in changed if begin < moment <= end)]
    complete_until = moments[MAX_MOMENTS] if len(moments) > MAX_MOMENTS else None
    standing: dict[tuple[str, ...], OpenSpan] = {}
    ended: list[OpenSpan] = []
    problem, tried = "", False
    for moment in moments[:MAX_MOMENTS]:
        world = store.world_at(found, moment)
        claims = [each.claim(world) for each in declarations(found, moment, site)]
        packets: dict[tuple[str, ...], Counterexample] = {}
        try:
            packets, tried = passing(world, claims, site, query.of, query.source, query.target), True
        except UnknownEnd as error:
            problem = problem or str(error)
        gone = standing.keys() - packets.keys()
        ended += [standing.pop(ways).model_copy(update={"open_until": moment}) for ways in gone]
        for ways, packet in packets.items():
            if ways not in standing:
                standing[ways] = OpenSpan(open_from=moment, packet=packet, origins=origins(found, packet, moment))
    spans = sorted((*ended, *standing.values()), key=lambda each: (each.open_from, each.packet.rule_ids))
    return tuple(spans), "" if tried else problem, complete_until


def origins(found: Iterable[Version], packet: Counterexample, at: datetime) -> tuple[RuleOrigin, ...]:
    """Since when its rules stood, and who made them: of what a look and a notification told, the notification."""
    stood = {
        each.resource_id: each
        for each in sorted(found, key=lambda one: one.seen_by == "notification")
        if each.resource_id in packet.rule_ids and each.kind in ("rules", "ports") and each.stood_at(at)
    }
    return tuple(
        RuleOrigin(
            resource_id=each.resource_id,
            since=each.valid_from,
            until=each.valid_until,
            seen_by="notification" if each.seen_by == "notification" else "look",
            actor=each.actor,
            request_id=each.request_id,
        )
        for each in stood.values()
    )
