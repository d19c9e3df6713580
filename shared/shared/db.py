"""The door to PostgreSQL: one pool a service, in the service's own schema, with time limits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from shared.clock import Clock
from shared.errors import Configuration
from shared.telemetry import logger

if TYPE_CHECKING:  # generic in the stubs only
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection, Pool = asyncpg.Connection, asyncpg.Pool

STATEMENT_TIMEOUT_SECONDS = 30
IDLE_IN_TRANSACTION_SECONDS = 30

LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.QueryCanceledError,
    asyncpg.DiskFullError,
)
"""The database could not be asked, did not answer, or has no room: wait and begin the transaction anew."""

RACED: tuple[type[BaseException], ...] = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Another transaction was in the way: begin this one anew at once."""

INTERRUPTED: tuple[type[BaseException], ...] = (*LOST, *RACED)
"""The transaction did not happen, or can't be told to have; nothing is wrong with what it tried."""


def schema_of(service: str) -> str:
    """The schema that the service owns."""
    return service.replace("-", "_")


async def open_pool(dsn: str, service: str, clock: Clock, *, size: int = 10, patience_seconds: float = 60.0) -> Pool:
    """A pool in the service's schema. Waits for a database that is starting; raises Configuration when refused."""
    deadline = clock.monotonic_seconds() + patience_seconds
    while True:
        try:
            return await asyncpg.create_pool(
                dsn,
                min_size=2,
                max_size=size,
                command_timeout=STATEMENT_TIMEOUT_SECONDS,
                reset=_as_it_is,
                max_inactive_connection_lifetime=300,
                server_settings={
                    "search_path": schema_of(service),
                    "application_name": f"tresor-{service}",
                    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
                    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS}s",
                    "timezone": "UTC",
                },
            )
        except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
            raise Configuration(f"the database refuses {service}: {error}; check TRESOR_DATABASE_DSN") from None
        except LOST as error:
            if clock.monotonic_seconds() > deadline:
                raise Configuration(
                    f"no database after {patience_seconds:.0f} s ({type(error).__name__}: {error}); check TRESOR_DATABASE_DSN"
                ) from None
            logger().warning("database.waiting", error=str(error) or type(error).__name__)
            await clock.sleep(1.0)


async def _as_it_is(_: object) -> None:
    """Nothing here leaves a session changed behind its transaction, so that no round trip is needed to mend it."""


@asynccontextmanager
async def transaction(pool: Pool, *, readonly: bool = False) -> AsyncIterator[Connection]:
    """A transaction that commits when the block ends well and leaves nothing otherwise."""
    async with pool.acquire(timeout=STATEMENT_TIMEOUT_SECONDS) as connection, connection.transaction(readonly=readonly):
        yield connection


async def close(pool: Pool) -> None:
    """Close the pool; whatever does not end within five seconds is cut off."""
    try:
        await asyncio.wait_for(pool.close(), 5)
    except TimeoutError:
        pool.terminate()
