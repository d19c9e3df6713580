"""How wakes, confirmations and the wait for room are made wrong, from outside: the code itself has no switch for it."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

import shared.lanes
import shared.relay
import shared.runtime
import shared.topology
from tests.faults.ground import Ground

Patch = pytest.MonkeyPatch


class Deaf(asyncio.Event):
    """It is never set."""

    def set(self) -> None:
        return None


def nobody_wakes(name: str) -> Callable[[Patch, Ground], None]:
    """What should wake this part does not reach it: its own poll alone finds what there is to do."""

    def apply(patch: Patch, _: Ground) -> None:
        made = shared.runtime.Runtime.__post_init__

        def deaf(self: Any) -> None:
            made(self)
            setattr(self.wakes, name, Deaf())

        patch.setattr(shared.runtime.Runtime, "__post_init__", deaf)

    return apply


def stored_meanwhile_forgotten(patch: Patch, _: Ground) -> None:
    def ended(self: Any, aggregates: list[str], _: object) -> None:
        for aggregate in aggregates:
            del self._busy[aggregate]
        self._runtime.wakes.stored.clear()

    patch.setattr(shared.lanes.DecideLane, "_ended", ended)


def noted_before_it_is_confirmed(patch: Patch, _: Ground) -> None:
    publish = shared.relay.Relay._publish

    async def noted_first(self: Any, exchange: Any, row: Any) -> None:
        self._unnoted[row["event_id"]] = (row["aggregate"], row["sequence"])
        await publish(self, exchange, row)

    patch.setattr(shared.relay.Relay, "_publish", noted_first)


def confirmations_never_noted(patch: Patch, _: Ground) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(shared.relay.Relay, "_note", nothing)


def confirmations_forgotten(patch: Patch, _: Ground) -> None:
    async def forgotten(self: Any) -> None:
        self._unnoted.clear()

    patch.setattr(shared.relay.Relay, "_note", forgotten)


def noted_for_every_aggregate(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.relay, "_SENT", shared.relay._SENT.replace("aggregate = $1 AND", "$1 <> '' AND"))


def a_full_disk_taken_for_a_fault(patch: Patch, _: Ground) -> None:
    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0] == "shared":
            for what in ("LOST", "INTERRUPTED", "_NOT_THEIRS"):
                if asyncpg.DiskFullError in getattr(module, what, ()):
                    kept = tuple(kind for kind in getattr(module, what) if kind is not asyncpg.DiskFullError)
                    patch.setattr(module, what, kept)


def few_deliveries_allowed(patch: Patch, _: Ground) -> None:
    arguments = vars(shared.topology.Queue)["arguments"].fget

    def limited(self: Any) -> dict[str, Any]:
        return {**arguments(self), **({"x-delivery-limit": 5} if self.durable_store else {})}

    patch.setattr(shared.topology.Queue, "arguments", property(limited))
