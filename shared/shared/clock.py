"""Time, identifiers and randomness: the only place they come from, so that a whole service can run in a simulation."""

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What tells the time and waits."""

    def now(self) -> datetime:
        """The time of day, aware, UTC."""
        ...

    def monotonic_seconds(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_seconds(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Ids:
    """Identifiers and random choices; a given seed gives the same ones again."""

    def __init__(self, seed: int | None = None) -> None:
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311  for simulations

    def uuid(self) -> str:
        """A new random UUID (version 4)."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def request_id(self) -> str:
        """A new request id in OpenStack's form, carried through its services and into its notifications."""
        return f"req-{self.uuid()}"

    def trace_id(self) -> str:
        """128 random bits in hexadecimal, for a `traceparent`."""
        return f"{self._random.getrandbits(128) or 1:032x}"

    def span_id(self) -> str:
        """64 random bits in hexadecimal, for a `traceparent`."""
        return f"{self._random.getrandbits(64) or 1:016x}"

    def jittered(self, seconds: float, share: float = 0.2) -> float:
        """`seconds`, give or take that share of it, so that replicas do not act in step."""
        return seconds * (1 + share * (2 * self._random.random() - 1))

    def choice(self, among: Sequence[T]) -> T:
        """One of them."""
        return self._random.choice(among)
