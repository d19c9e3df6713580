"""The servers' table, with running sums of what they take by host and by project."""

from dataclasses import dataclass
from typing import Any

from twin.core.table import Row, Table


@dataclass(slots=True)
class Taken:
    """What servers take together."""

    servers: int = 0
    vcpus: int = 0
    ram_mib: int = 0
    disk_gib: int = 0


class ServerTable(Table):
    """Servers by id. What a server takes of a host is claimed when it is scheduled, before it is there; host, project and flavor are changed through `change` only."""

    def __init__(self) -> None:
        super().__init__("project_id", "host", "vm_state")
        self._taken: dict[tuple[str, Any], Taken] = {}

    def taken(self, by: str, value: str | None) -> Taken:
        """The sums of a host (`claimed`) or a project (`project_id`)."""
        return self._taken.get((by, value), _NOTHING)

    def add(self, row: Row) -> Row:
        """Counts it in."""
        self._count(row, 1)
        return super().add(row)

    def change(self, row: Row, **values: Any) -> Row:
        """Counts it out before and in after; a host given is a host claimed."""
        if "host" in values:
            values.setdefault("claimed", values["host"])
        if "claimed" in values or "flavor" in values:
            self._count(row, -1)
            super().change(row, **values)
            self._count(row, 1)
            return row
        return super().change(row, **values)

    def remove(self, row_id: str) -> Row:
        """Counts it out."""
        row = super().remove(row_id)
        self._count(row, -1)
        return row

    def _count(self, row: Row, sign: int) -> None:
        flavor = row["flavor"]
        for by in ("claimed", "project_id"):
            taken = self._taken.setdefault((by, row[by]), Taken())
            taken.servers += sign
            taken.vcpus += sign * flavor["vcpus"]
            taken.ram_mib += sign * flavor["ram"]
            taken.disk_gib += sign * (flavor["disk"] + flavor["ephemeral"])
            if not taken.servers:
                del self._taken[(by, row[by])]


_NOTHING = Taken()
