"""The cloud as this process last observed it, with an engine that keeps every workspace's verdict: all proofs are its.

It is a cache and no memory. A verdict is asked for together with what was just observed, which is applied first: it
rests on that, and not on what another replica may have changed since this one looked. Of other projects it knows the
last full listing, as the verdict's assumptions say, and what notifications added. They only add what may open: where one
is late or wrong a violation comes of it, which is told only after everything was listed anew.

Each full scan builds an engine from its listing alone and goes on with that one; the former one is brought to the same
listing, and must say the same. An engine in which anything failed is thrown away, and nothing is proven until the whole
cloud was listed again.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from network_policy.domain.certificate import ASSUMED_NEARBY
from network_policy.domain.engine import Engine
from network_policy.domain.filters import Claim
from network_policy.domain.observed import Nearby, Observed
from network_policy.domain.proof import Verdict
from network_policy.domain.world import GroupRule, Port, World
from shared import metrics
from shared.errors import TresorError
from shared.telemetry import logger

T = TypeVar("T")

MAX_HEARD = 20_000


class NotListed(TresorError):
    """The whole cloud has to be listed before anything can be proven."""


@dataclass(frozen=True)
class Proven:
    """The verdict, the one on how it was before, and who else is isolated no longer by what was seen."""

    verdict: Verdict
    former: Verdict | None
    others: frozenset[str]


@dataclass
class _Kept:
    observed: Observed
    engine: Engine


class Model:
    """One process's; used by one at a time, in a thread that calls `give_way` often."""

    def __init__(self, give_way: Callable[[], None] = lambda: None) -> None:
        self._give_way = give_way
        self.listing = asyncio.Lock()
        """To be held while the cloud is listed because the model is not current: one listing serves all who wait."""
        self._turn = asyncio.Lock()
        self._kept: _Kept | None = None
        self._listed_at: datetime | None = None
        self._heard: deque[Port | GroupRule] = deque(maxlen=MAX_HEARD)
        self._looks: list[tuple[datetime, Nearby, Claim]] = []
        """Since the last full listing began."""
        self._violated: frozenset[str] = frozenset()

    def is_current(self, since: datetime) -> bool:
        """Whether a full listing that began since then is known."""
        return self._listed_at is not None and self._listed_at >= since

    def hear(self, resource: Port | GroupRule) -> None:
        """A notification tells of a port, or of a rule that was made."""
        self._heard.append(resource)

    async def scanned(self, world: World, claims: Sequence[Claim], at: datetime) -> dict[str, Verdict]:
        """The verdicts on a full scan that began then."""
        fresh = await asyncio.to_thread(self._built, world, claims)

        def compare_and_judge(kept: _Kept | None) -> dict[str, Verdict]:
            why = "first" if kept is None else _agreement(kept, fresh, world, claims)
            metrics.MODELS_BUILT.labels(why).inc()
            if why in ("differs", "failed"):
                logger().error("model.differs", why=why, workspaces=len(claims))
            return {claim.workspace: fresh.engine.verdict(claim.workspace) for claim in claims}

        async with self._turn:
            found = await asyncio.to_thread(compare_and_judge, self._kept)
            await self._go_on(fresh, at)
        return found

    async def listed(self, world: World, claims: Sequence[Claim], at: datetime) -> None:
        """The whole cloud was listed for a look, beginning then."""

        def take(kept: _Kept | None) -> _Kept:
            if kept is None:
                metrics.MODELS_BUILT.labels("first").inc()
                return self._built(world, claims)
            return _Kept(kept.observed, kept.observed.take(kept.engine, world, claims))

        async with self._turn:
            kept, self._kept, self._listed_at = self._kept, None, None
            await self._go_on(await asyncio.to_thread(take, kept), at)

    async def prove(
        self, nearby: Nearby, claim: Claim, at: datetime, former: Iterable[GroupRule | Port] = ()
    ) -> Proven:
        """The verdict on the surroundings as they were listed, beginning then; and with `former` as well, as it was.

        Raises NotListed.
        """

        def look(kept: _Kept) -> Proven:
            while self._heard:
                kept.engine = kept.observed.hear(kept.engine, self._heard.popleft())
            kept.engine = kept.observed.look(kept.engine, nearby, claim)
            found = self._judged(kept, claim.workspace, former)
            return replace(found, verdict=_nearby(found.verdict), former=found.former and _nearby(found.former))

        found = await self._with(look)
        self._looks.append((at, nearby, claim))
        return found

    async def verdict(self, workspace: str, former: Iterable[GroupRule | Port] = ()) -> Proven:
        """The verdict on the last full listing, else as `prove`. Raises NotListed, and KeyError without a claim."""
        return await self._with(lambda kept: self._judged(kept, workspace, former))

    async def _with(self, fn: Callable[[_Kept], T]) -> T:
        async with self._turn:
            kept, listed_at = self._kept, self._listed_at
            if kept is None:
                raise NotListed("the model of the cloud was given up; the next full listing makes another")
            self._kept, self._listed_at = None, None  # what fails half-way is not kept
            found = await asyncio.to_thread(fn, kept)
            self._kept, self._listed_at = kept, listed_at
            return found

    async def _go_on(self, kept: _Kept, at: datetime) -> None:
        """Keep it, with what was looked at while the whole was being listed: that is later."""

        def catch_up() -> None:
            for _, nearby, claim in self._looks:
                kept.engine = kept.observed.look(kept.engine, nearby, claim)

        self._kept, self._listed_at = None, None
        self._looks = [each for each in self._looks if each[0] >= at]
        await asyncio.to_thread(catch_up)
        self._kept, self._listed_at = kept, at

    def _built(self, world: World, claims: Sequence[Claim]) -> _Kept:
        return _Kept(Observed(world, claims, self._give_way), Engine(world, claims, self._give_way))

    def _judged(self, kept: _Kept, workspace: str, former: Iterable[GroupRule | Port]) -> Proven:
        verdict = kept.engine.verdict(workspace)
        violated = frozenset(name for name in kept.observed.claims if not kept.engine.holds(name))
        others, self._violated = violated - self._violated - {workspace}, violated
        marks = kept.engine.marks()
        kept.engine, before = kept.observed.put_back(kept.engine, former)
        was = kept.engine.supposed(workspace) if before else None
        kept.engine = kept.observed.undo(kept.engine, before)
        kept.engine.take_back(marks)
        return Proven(verdict, was, others)


def _agreement(kept: _Kept, fresh: _Kept, world: World, claims: Sequence[Claim]) -> str:
    """Whether what was kept true change by change says what an engine says that was built for this listing."""
    try:
        engine = kept.observed.take(kept.engine, world, claims)
        is_same = engine.digest == fresh.engine.digest and all(
            engine.holds(claim.workspace) == fresh.engine.holds(claim.workspace) for claim in claims
        )
    except Exception:
        logger().exception("model.failed")
        return "failed"
    return "agrees" if is_same else "differs"


def _nearby(verdict: Verdict) -> Verdict:
    return replace(verdict, assumptions=(*verdict.assumptions, ASSUMED_NEARBY))
