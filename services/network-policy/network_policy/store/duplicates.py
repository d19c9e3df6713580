"""MAC addresses that several ports say, as they were told, and removals under way."""

import json
from dataclasses import dataclass
from datetime import datetime

from contracts.network_policy import Duplicate
from shared.db import Connection

_SAVE = """
INSERT INTO duplicate_mac (mac_address, evidence, duplicate, found_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (mac_address) DO UPDATE SET evidence = $2, duplicate = $3, found_at = $4
"""
_SCANNED = """
INSERT INTO duplicate_scan (scanned_at) VALUES ($1) ON CONFLICT (only_one) DO UPDATE SET scanned_at = $1
"""
_REMOVE = """
INSERT INTO duplicate_removal (port_id, command_id, mac_address, evidence) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING 1
"""


@dataclass(frozen=True)
class Removal:
    """A port that is to be deleted on command."""

    port_id: str
    command_id: str
    mac_address: str
    evidence: str


async def duplicates(connection: Connection, limit: int | None = None) -> list[Duplicate]:
    """Those of the last scan."""
    rows = await connection.fetch("SELECT duplicate FROM duplicate_mac ORDER BY mac_address LIMIT $1", limit)
    return [Duplicate.model_validate(json.loads(row["duplicate"])) for row in rows]


async def save_duplicate(connection: Connection, found: Duplicate, now: datetime) -> None:
    """Remember what was told of it."""
    await connection.execute(_SAVE, found.mac_address, found.evidence, found.model_dump_json(), now)


async def forget_duplicate(connection: Connection, mac_address: str) -> bool:
    """It is none any more. Whether it was one."""
    return await connection.execute("DELETE FROM duplicate_mac WHERE mac_address = $1", mac_address) == "DELETE 1"


async def save_scanned(connection: Connection, now: datetime) -> None:
    """Remember when all ports were looked at."""
    await connection.execute(_SCANNED, now)


async def scanned_at(connection: Connection) -> datetime | None:
    """When all ports were looked at last."""
    at: datetime | None = await connection.fetchval("SELECT scanned_at FROM duplicate_scan")
    return at


async def begin_removal(connection: Connection, removal: Removal) -> bool:
    """Remember that it is to be deleted. False when it is already."""
    return bool(
        await connection.fetchval(_REMOVE, removal.port_id, removal.command_id, removal.mac_address, removal.evidence)
    )


async def load_removal(connection: Connection, port_id: str) -> Removal | None:
    """The removal of that port."""
    row = await connection.fetchrow("SELECT * FROM duplicate_removal WHERE port_id = $1", port_id)
    if row is None:
        return None
    return Removal(row["port_id"], str(row["command_id"]), row["mac_address"], row["evidence"])


async def end_removal(connection: Connection, port_id: str) -> None:
    """It has ended."""
    await connection.execute("DELETE FROM duplicate_removal WHERE port_id = $1", port_id)
