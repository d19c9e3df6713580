"""Every point at which a service may die on the way of its own work, one after another: it is killed at each, once.

The points are found as they come: before and after each commit that a message or a look makes, and before and after each
call to the cloud, by the step that the call makes. So a step that is added later is among them without being named here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest
from asyncpg.transaction import Transaction

import shared.effects
import shared.reconcile
import shared.urgent
from shared.effects import make_effect
from shared.effects_together import make_effects
from shared.handlers import Handlers
from shared.service import Service
from shared.testing import Site
from tests.faults.crash import crash
from tests.faults.pair import under_way

LEASE_SECONDS = 1.5
UNSETTLED_SECONDS = 1.0
PATIENCE_SECONDS = 1800.0
DEEPEST = 5
"""Commits of one look, or about one call, that are told apart."""


@dataclass
class _Doing:
    """What a task is at, and how many commits it has made over it."""

    what: str
    commits: int = 0


_DOING: ContextVar[_Doing | None] = ContextVar("doing", default=None)


@dataclass
class Points:
    """Where the service died, in order; it is let past a point that it died at before."""

    wanted: Callable[[str], bool]
    died_at: list[str] = field(default_factory=list)
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _is_dying: bool = False

    async def pass_by(self, point: str) -> None:
        """Go on, or stand still until the end."""
        is_new = point not in self.died_at and self.wanted(point)
        if is_new:
            self.died_at.append(point)  # several where things are done side by side
            self._is_dying = True
            self._reached.set()
        if self._is_dying:
            await asyncio.Event().wait()

    async def reached(self) -> None:
        """Until there is a point to die at."""
        await self._reached.wait()

    def go_on(self) -> None:
        """The service is dead."""
        self._is_dying = False
        self._reached.clear()

    def called(self) -> set[str]:
        """The steps that it died at once their calls had been sent."""
        sent = (": amid the call", ": after the call")
        return {point.rpartition(":")[0] for point in self.died_at if point.endswith(sent)}

    def lie_in_wait(self, patch: pytest.MonkeyPatch, handlers: Handlers[Any]) -> None:
        """Have every transaction, look, message and call of these handlers pass by here."""
        end, one, together = Transaction.__aexit__, make_effect, make_effects
        look, calls = handlers.reconciler, shared.urgent.Urgent._make
        assert look is not None

        async def at_the_commit(transaction: Any, kind: Any, error: Any, trace: Any) -> None:
            doing = _DOING.get()
            if doing is None or error is not None or doing.commits >= DEEPEST:
                await end(transaction, kind, error, trace)
                return
            doing.commits += 1
            await self.pass_by(f"{doing.what}: before commit {doing.commits}")
            await end(transaction, kind, error, trace)
            await self.pass_by(f"{doing.what}: after commit {doing.commits}")

        def between(step: str, call: Callable[[str], Awaitable[Any]]) -> Callable[[str], Awaitable[Any]]:
            async def called(request_id: str) -> Any:
                await self.pass_by(f"{step}: before the call")
                try:
                    made = await call(request_id)
                except asyncio.CancelledError:  # it died over what was done beside it, and may never make this again
                    self.died_at.append(f"{step}: amid the call")
                    raise
                await self.pass_by(f"{step}: after the call")
                return made

            return called

        async def make_one(turn: Any, message: Any, step: str, marker: str, call: Any, **more: Any) -> Any:
            before = _DOING.set(_Doing(step))
            try:
                return await one(turn, message, step, marker, between(step, call), **more)
            finally:
                _DOING.reset(before)

        async def make_together(turn: Any, message: Any, step: str, calls: Mapping[str, Any], **more: Any) -> Any:
            before = _DOING.set(_Doing(step))
            try:
                return await together(turn, message, step, {each: between(step, calls[each]) for each in calls}, **more)
            finally:
                _DOING.reset(before)

        async def make_at_once(urgent: Any, at_once: Any) -> None:
            _DOING.set(None)
            await self.pass_by(f"{at_once.call.step} at once: before the call")
            await calls(urgent, at_once)
            await self.pass_by(f"{at_once.call.step} at once: after the call")

        async def looked(turn: Any) -> Any:
            _DOING.set(_Doing("look"))
            return await look(turn)

        def told_by(kind: str, handler: Any) -> Any:
            async def handled(message: Any, work: Any) -> None:
                _DOING.set(_Doing(kind))
                await handler(message, work)

            return handled

        patch.setattr(Transaction, "__aexit__", at_the_commit)
        patch.setattr(shared.reconcile, "make_effect", make_one)
        patch.setattr(shared.reconcile, "make_effects", make_together)
        patch.setattr(shared.urgent.Urgent, "_make", make_at_once)
        patch.setattr(shared.effects, "UNSETTLED_SECONDS", UNSETTLED_SECONDS)
        patch.setattr(handlers, "reconciler", looked)
        for kind, (message, handler) in list(handlers.messages.items()):
            patch.setitem(handlers.messages, kind, (message, told_by(kind, handler)))


async def die_at_each(
    site: Site,
    points: Points,
    start: Callable[[], Awaitable[Service[Any]]],
    story: Callable[[], Coroutine[Any, Any, None]],
) -> Service[Any]:
    """Have the story told while the service dies at point after point; returns the one that lived to its end."""
    service = await start()

    async def dying() -> None:
        nonlocal service
        while True:
            await points.reached()
            await crash(site, service)
            points.go_on()
            service = await start()

    async def told() -> None:
        await story()
        while await under_way(service):
            await asyncio.sleep(0.2)

    tasks = {asyncio.create_task(dying()), asyncio.create_task(told())}
    try:
        done, _ = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert done, f"not at its end after {PATIENCE_SECONDS} s; died at {points.died_at}"
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return service
