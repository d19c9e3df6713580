"""Every event on the bus, for a test to wait for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeVar

from aio_pika.abc import AbstractIncomingMessage

from contracts.envelope import Event

M = TypeVar("M", bound=Event)
PATIENCE_SECONDS = 60.0


class Tap:
    """Hears every event on the bus from the moment it is opened."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._new = asyncio.Condition()

    async def take(self, message: AbstractIncomingMessage) -> None:
        async with self._new:
            self.events.append(json.loads(message.body))
            self._new.notify_all()
        await message.ack()

    def of(self, kind: type[M], workspace: str | None = None) -> list[M]:
        """The events of that type so far, in order, once each."""
        found = {
            event["id"]: event
            for event in self.events
            if event["type"] == kind.type and (workspace is None or event["subject"] == workspace)
        }
        return [kind.model_validate(event["data"]) for event in found.values()]

    async def until(
        self,
        kind: type[M],
        *,
        workspace: str | None = None,
        where: Callable[[M], bool] = lambda _: True,
        seconds: float = PATIENCE_SECONDS,
    ) -> M:
        """The first event of that type that fits; waits for it. Raises TimeoutError saying what did come."""
        (found,) = await self.first(1, kind, workspace=workspace, where=where, seconds=seconds)
        return found

    async def first(
        self,
        count: int,
        kind: type[M],
        *,
        workspace: str | None = None,
        where: Callable[[M], bool] = lambda _: True,
        seconds: float = PATIENCE_SECONDS,
    ) -> list[M]:
        """The first `count` events of that type that fit, as `until`: of different aggregates, in any order."""
        async with self._new:
            try:
                async with asyncio.timeout(seconds):
                    while len(found := [each for each in self.of(kind, workspace) if where(each)]) < count:
                        await self._new.wait()
                    return found[:count]
            except TimeoutError:
                seen = [f"{event['type']}({event['subject']})" for event in self.events[-40:]]
                told = f"{len(found)} of {count} {kind.type}" if found else f"no {kind.type}"
                raise TimeoutError(f"{told} after {seconds} s; last seen: {seen}") from None
