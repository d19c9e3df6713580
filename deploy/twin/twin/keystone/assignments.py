"""Who holds which role where."""

from typing import TYPE_CHECKING, NamedTuple

from twin.keystone.tokens import IMPLIED

if TYPE_CHECKING:
    from twin.keystone.service import Keystone


class Assignment(NamedTuple):
    """A role of a user or group on a project, a domain or the system."""

    actor_kind: str
    actor_id: str
    target_kind: str
    target_id: str
    role_id: str


class Assignments:
    """All assignments, with the effective roles of a user on a scope remembered until one changes."""

    def __init__(self, keystone: "Keystone") -> None:
        self._keystone = keystone
        self._held: dict[Assignment, None] = {}
        self._effective: dict[tuple[str, str, str], tuple[str, ...]] = {}

    def __contains__(self, assignment: Assignment) -> bool:
        return assignment in self._held

    def all(self) -> list[Assignment]:
        """In the order they were made."""
        return list(self._held)

    def add(self, assignment: Assignment) -> None:
        """Grants."""
        self._held[assignment] = None
        self._effective.clear()

    def remove(self, assignment: Assignment) -> None:
        """Revokes."""
        self._held.pop(assignment, None)
        self._effective.clear()

    def forget(self, thing_id: str) -> None:
        """Takes away every assignment of or on something deleted."""
        for one in [one for one in self._held if thing_id in (one.actor_id, one.target_id, one.role_id)]:
            del self._held[one]
        self._effective.clear()

    def changed(self) -> None:
        """Group membership changed."""
        self._effective.clear()

    def effective(self, user_id: str, scope: tuple[str, str]) -> tuple[str, ...]:
        """Role ids on a scope, through groups and implied roles too."""
        key = (user_id, *scope)
        found = self._effective.get(key)
        if found is None:
            groups = {group["id"] for group in self._keystone.groups if user_id in group["_users"]}
            ids: dict[str, None] = {}
            for one in self._held:
                mine = one.actor_id == user_id or one.actor_id in groups
                if mine and (one.target_kind, one.target_id) == scope:
                    self._imply(one.role_id, ids)
            found = self._effective[key] = tuple(ids)
        return found

    def implied(self, role_id: str) -> list[str]:
        """The role and those it implies."""
        ids: dict[str, None] = {}
        self._imply(role_id, ids)
        return list(ids)

    def _imply(self, role_id: str, ids: dict[str, None]) -> None:
        if role_id in ids:
            return
        ids[role_id] = None
        role = self._keystone.roles.get(role_id)
        for name in IMPLIED.get(role["name"], ()) if role else ():
            for implied in self._keystone.roles.where(name=name):
                self._imply(implied["id"], ids)
