"""Lanes: hash buckets of keys, leased in PostgreSQL by one replica at a time, with a fence."""

from datetime import timedelta

from shared import metrics
from shared.clock import Clock
from shared.db import LOST, Connection, Pool, transaction
from shared.errors import LeaseLost
from shared.outbox import BUCKETS
from shared.telemetry import logger

# Time is the database's in all of these: clocks of replicas may differ, and one that is set right must not leave a lease
# that lasts until the hour it was wrong about. What lasts longer than anybody leases was written before that clock went
# back, and is over.
_SEEN = """
INSERT INTO replica (replica, seen_at) VALUES ($1, clock_timestamp())
ON CONFLICT (replica) DO UPDATE SET seen_at = excluded.seen_at
"""
_ALIVE = """
SELECT count(*) FROM replica
WHERE seen_at > clock_timestamp() - 2 * $1::interval AND seen_at < clock_timestamp() + $1::interval
"""
_RENEW = """
UPDATE lane SET lease_until = clock_timestamp() + $2::interval
WHERE owner = $1 AND lease_until > clock_timestamp() RETURNING bucket, fence
"""
_TAKE = """
UPDATE lane SET owner = $1, fence = fence + 1, lease_until = clock_timestamp() + $2::interval
WHERE bucket IN (SELECT bucket FROM lane
                 WHERE lease_until <= clock_timestamp() OR lease_until > clock_timestamp() + 10 * $2::interval
                 ORDER BY bucket LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING bucket, fence
"""
_YIELD = """
UPDATE lane SET lease_until = '-infinity'
WHERE bucket IN (SELECT bucket FROM lane WHERE owner = $1 ORDER BY bucket DESC LIMIT $2) AND owner = $1
RETURNING bucket
"""
_GUARD = """
SELECT 1 FROM lane WHERE bucket = $1 AND owner = $2 AND fence = $3 AND lease_until > clock_timestamp() FOR SHARE
"""


class Leases:
    """The buckets that this replica holds, each with its fence; a fair share of them among the live replicas."""

    def __init__(self, pool: Pool, replica: str, clock: Clock, lease_seconds: float) -> None:
        self._pool = pool
        self.replica = replica
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._good_until_monotonic = 0.0
        self.held: dict[int, int] = {}

    def holds(self, bucket: int) -> int | None:
        """The fence of a bucket that is surely still ours, or None."""
        if self._clock.monotonic_seconds() >= self._good_until_monotonic:
            return None
        return self.held.get(bucket)

    async def renew(self) -> None:
        """Renew what is held and take what is free, up to a fair share. Called three times a lease."""
        asked = self._clock.monotonic_seconds()
        lease = timedelta(seconds=self._lease_seconds)
        try:
            async with transaction(self._pool) as connection:
                await connection.execute(_SEEN, self.replica)
                alive: int = await connection.fetchval(_ALIVE, lease)
                share = -(-BUCKETS // alive)
                held = {row["bucket"]: row["fence"] for row in await connection.fetch(_RENEW, self.replica, lease)}
                if len(held) < share:
                    taken = await connection.fetch(_TAKE, self.replica, lease, share - len(held))
                    held |= {row["bucket"]: row["fence"] for row in taken}
                elif len(held) > share:
                    for row in await connection.fetch(_YIELD, self.replica, len(held) - share):
                        del held[row["bucket"]]
        except LOST as error:
            logger().warning("lease.not-renewed", error=str(error) or type(error).__name__)
            return
        self.held = held
        # A margin for the clocks' drift: this replica stops believing in its lease before anybody else may take it.
        self._good_until_monotonic = asked + self._lease_seconds * 0.8
        metrics.LANES_HELD.set(len(held))

    async def release(self) -> None:
        """Give all back, so that another replica need not wait."""
        self._good_until_monotonic = 0.0
        self.held = {}
        try:
            async with transaction(self._pool) as connection:
                await connection.execute(_YIELD, self.replica, BUCKETS)
                await connection.execute("DELETE FROM replica WHERE replica = $1", self.replica)
        except LOST:
            logger().warning("lease.not-released")

    async def guard(self, connection: Connection, bucket: int, fence: int) -> None:
        """Within a transaction: nobody can take this bucket before it commits. Raises LeaseLost if somebody has."""
        if not await connection.fetchval(_GUARD, bucket, self.replica, fence):
            raise LeaseLost(f"bucket {bucket} is no longer leased with fence {fence}")
