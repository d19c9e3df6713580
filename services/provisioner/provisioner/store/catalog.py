"""The cloud's catalog, as last read."""

from datetime import datetime

from provisioner.domain.catalog import Catalog, CatalogReading
from shared.db import Connection


async def load_catalog(connection: Connection, now: datetime) -> CatalogReading | None:
    """The catalog and its age; None before it was read for the first time."""
    row = await connection.fetchrow("SELECT content, read_at FROM catalog")
    if row is None:
        return None
    return CatalogReading(Catalog.model_validate_json(row["content"]), (now - row["read_at"]).total_seconds())


async def save_catalog(connection: Connection, catalog: Catalog, now: datetime) -> None:
    """Store a new reading, unless a newer one is there."""
    await connection.execute(
        "INSERT INTO catalog (content, read_at) VALUES ($1, $2) "
        "ON CONFLICT (only_one) DO UPDATE SET content = excluded.content, read_at = excluded.read_at "
        "WHERE catalog.read_at <= excluded.read_at",
        catalog.model_dump_json(),
        now,
    )
