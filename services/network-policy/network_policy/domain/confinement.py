"""Quarantine in the policy: a group without rules, the ports that belong in it, and the roles that are born in it.

A port in quarantine has a role of its own, `QUARANTINE`, whose group permits nothing. Drift, plan and proof treat it as
any other role, so what quarantine cuts off stays so by the same means as everything that is declared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from network_policy.domain.compile import Policy
from network_policy.domain.world import Port

QUARANTINE = ":quarantine"
"""No role of a document can be called so."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What one quarantine covers: a role, a node, or with neither the whole workspace."""

    quarantine_id: str
    role: str | None = None
    node: str | None = None
    server_ids: frozenset[str] = frozenset()
    """The node's, as found when the quarantine began: a server that is renamed stays in it."""

    def covers(self, port: Port, role: str | None) -> bool:
        """Whether a port of this declared role (None: of none) belongs to it."""
        if self.node is not None:
            is_named = port.name == self.node or port.name.startswith(f"{self.node}-")
            return port.device_id == self.node or port.device_id in self.server_ids or is_named
        return self.role is None or self.role == role


@dataclass(frozen=True, slots=True)
class Confinement:
    """All quarantines in force in one workspace."""

    scopes: tuple[Scope, ...] = ()
    port_ids: frozenset[str] = frozenset()
    """Ports that were found in them: they stay, whatever is made of their names."""

    def __bool__(self) -> bool:
        return bool(self.scopes)

    def covers(self, port: Port, role: str | None) -> bool:
        """Whether the port belongs in the quarantine group."""
        return port.id in self.port_ids or any(scope.covers(port, role) for scope in self.scopes)

    def births(self, group_ids: Mapping[str, str]) -> dict[str, str]:
        """The group that new nodes of each role are born in, of the groups that there are by role."""
        quarantine = group_ids.get(QUARANTINE)
        whole = {scope.role for scope in self.scopes if scope.node is None}
        is_confined = {role: None in whole or role in whole for role in group_ids}
        return {
            role: quarantine if is_confined[role] and quarantine is not None else group_id
            for role, group_id in group_ids.items()
            if role != QUARANTINE
        }


UNCONFINED = Confinement()


def confine(policy: Policy, confinement: Confinement) -> Policy:
    """The policy with the quarantine's group, while there is a quarantine."""
    if not confinement:
        return policy
    return replace(
        policy,
        roles={**policy.roles, QUARANTINE: frozenset()},
        boot={**policy.boot, QUARANTINE: frozenset()},
    )


def told_role(role: str | None) -> str | None:
    """The role for a message: quarantine's group is no role's."""
    return None if role == QUARANTINE else role
