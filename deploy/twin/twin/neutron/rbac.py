"""RBAC policies: who else may see and use networks, groups and address groups."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import bad_input, bad_request, disallowed, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

ACTIONS = {
    "network": ("access_as_shared", "access_as_external"),
    "security_group": ("access_as_shared",),
    "address_group": ("access_as_shared",),
}


class RbacPolicies(Collection):
    """`/v2.0/rbac-policies`."""

    singular = "rbac_policy"
    plural = "rbac_policies"
    path = "rbac-policies"
    label = "RbacPolicy"
    create_attributes = frozenset(("object_type", "object_id", "action", "target_tenant", "target_project"))
    update_attributes = frozenset(("target_tenant", "target_project"))
    filters = frozenset(("object_type", "object_id", "action", "target_tenant"))
    quota = "rbac_policy"
    taggable = False
    title = "RBAC policy"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "object_id")

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """Owners share their own; sharing with everybody is for administrators."""
        kind, action = body.get("object_type"), body.get("action")
        if kind not in ACTIONS:
            raise bad_input("object_type", f"{kind} is not in valid_values.")
        if action not in ACTIONS[kind]:
            raise bad_request(f"Invalid action '{action}' for object type '{kind}'. Valid actions: {ACTIONS[kind]}")
        target = body.get("target_tenant") or body.get("target_project")
        if not target:
            raise bad_request("Failed to parse request. Required attribute 'target_tenant' not specified")
        row = self._object(kind, str(body.get("object_id")), caller)
        if not caller.is_admin and (target == "*" or action == "access_as_external"):
            raise disallowed("(rule:create_rbac_policy and rule:create_rbac_policy:target_tenant)")
        if any(self._same(one, action, target) for one in self.table.where(object_id=row["id"])):
            raise refused(409, "DuplicateRbacPolicy", "An RBAC policy already exists with those values.")
        return self._add(row["id"], kind, action, target, body["project_id"])

    @staticmethod
    def _same(one: Row, action: str, target: str) -> bool:
        return bool(one["action"] == action and one["target_tenant"] == target)

    def _object(self, kind: str, object_id: str, caller: Caller) -> Row:
        tables: dict[str, Collection] = {
            "network": self.neutron.networks,
            "security_group": self.neutron.groups,
            "address_group": self.neutron.address_groups,
        }
        return tables[kind].found(object_id, caller, own=True)

    def _add(self, object_id: str, kind: str, action: str, target: str, project_id: str) -> Row:
        row = {
            "id": self.cloud.chance.uuid(self.singular),
            "project_id": project_id,
            "action": action,
            "object_id": object_id,
            "target_tenant": target,
            "object_type": kind,
            "tenant_id": project_id,
        }
        if kind == "network" and object_id in self.neutron.networks.table:
            network = self.neutron.networks.table.get(object_id)
            if network is not None and self.table.where(object_id=object_id):
                self.neutron.networks.touch(network)
        return self.table.add(row)

    def touch(self, row: Row, revisions: int = 1) -> None:
        """Policies have no revision."""

    def grant(self, row: Row, action: str, target: str) -> None:
        """What the `shared` and `router:external` attributes stand for."""
        self._add(row["id"], "network", action, target, row["project_id"])

    def withdraw(self, object_id: str, action: str, target: str) -> None:
        """The reverse."""
        for one in self.table.where(object_id=object_id, action=action, target_tenant=target):
            self.table.remove(one["id"])

    def forget(self, object_id: str) -> None:
        """The object is gone."""
        for one in self.table.where(object_id=object_id):
            self.table.remove(one["id"])

    def reaches(self, kind: str, object_id: str, project_id: str) -> bool:
        """Whether the project may see the object by any policy."""
        policies = self.table.where(object_id=object_id, object_type=kind)
        return any(one["target_tenant"] in ("*", project_id) for one in policies)

    def shared(self, kind: str, object_id: str, project_id: str) -> bool:
        """Whether the object is shared with the project."""
        policies = self.table.where(object_id=object_id, object_type=kind, action="access_as_shared")
        return any(one["target_tenant"] in ("*", project_id) for one in policies)
