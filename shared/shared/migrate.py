"""Numbered SQL files, applied once each and in order, under a lock, by the service itself at its start."""

import hashlib
from importlib.resources import files

from shared.db import Pool, schema_of, transaction
from shared.errors import Configuration

_APPLIED = """
CREATE TABLE IF NOT EXISTS migration (
    member text NOT NULL, name text NOT NULL, digest text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (member, name))
"""


def _scripts(member: str) -> list[tuple[str, str]]:
    folder = files(member).joinpath("migrations")
    if not folder.is_dir():
        return []
    return sorted((file.name, file.read_text()) for file in folder.iterdir() if file.name.endswith(".sql"))


async def migrate(pool: Pool, service: str) -> list[str]:
    """Bring the service's schema up to its code: the chassis' tables first, then its own. Returns what was applied.

    Raises Configuration when a file that was applied once has been edited since, or the schema is missing.
    """
    applied: list[str] = []
    async with transaction(pool) as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"tresor-migrate-{service}")
        if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema_of(service)):
            raise Configuration(
                f"no schema {schema_of(service)} in the database; create it with deploy/postgres/roles.sql"
            )
        await connection.execute(_APPLIED)
        known = {
            (row["member"], row["name"]): row["digest"] for row in await connection.fetch("SELECT * FROM migration")
        }
        for member in ("shared", schema_of(service)):
            for name, script in _scripts(member):
                digest = hashlib.sha256(script.encode()).hexdigest()
                if (member, name) not in known:
                    await connection.execute(script)
                    await connection.execute(
                        "INSERT INTO migration (member, name, digest) VALUES ($1, $2, $3)", member, name, digest
                    )
                    applied.append(f"{member}/{name}")
                elif known[member, name] != digest:
                    raise Configuration(f"{member}/{name} was edited after it was applied; add a new file instead")
    return applied
