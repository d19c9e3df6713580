"""Security groups; each project gets its `default` by itself, without a notification (fact 4)."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.neutron.collection import Collection
from twin.neutron.errors import refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron


class SecurityGroups(Collection):
    """`/v2.0/security-groups`."""

    singular = "security_group"
    plural = "security_groups"
    path = "security-groups"
    label = "SecurityGroup"
    create_attributes = frozenset(("name", "description", "stateful"))
    update_attributes = frozenset(("name", "description", "stateful"))
    filters = frozenset(("stateful", "shared"))
    quota = "security_group"

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "name")

    def missing(self, row_id: str) -> Any:
        """Its own words."""
        return refused(404, "SecurityGroupNotFound", f"Security group {row_id} does not exist")

    def default_of(self, project_id: str) -> Row:
        """The project's default group, made silently at first need."""
        found = self.table.where(project_id=project_id, name="default")
        if found:
            return found[0]
        return self._add(project_id, "default", "Default security group", True)

    def list(self, request: Request) -> Reply:
        """A list makes the default group of the project looked at when there is none yet."""
        project = request.one("project_id") or request.one("tenant_id") or request.caller.project_id
        if project and request.caller.sees(project):
            self.default_of(project)
        return super().list(request)

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """With the rules that the template gives new groups."""
        if body.get("name") == "default":
            self.default_of(body["project_id"])
            raise refused(409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
        row = self._add(
            body["project_id"], body.get("name") or "", body.get("description") or "", truth(body.get("stateful", True))
        )
        row["revision_number"] = 1
        return row

    def check_quota(self, project_id: str) -> None:
        """The default group is made before a first group is counted."""
        self.default_of(project_id)
        super().check_quota(project_id)

    def _add(self, project_id: str, name: str, description: str, stateful: bool) -> Row:
        row = self.standard({"project_id": project_id, "description": description})
        row.update(name=name, stateful=stateful)
        self.table.add(row)
        for template in self.neutron.default_rules.table:
            if template["used_in_default_sg" if name == "default" else "used_in_non_default_sg"]:
                self.neutron.rules.from_template(row, template)
        return row

    def change(self, row: Row, body: dict[str, Any], caller: Caller) -> None:
        """The default group keeps its name; statefulness cannot change while in use."""
        if row["name"] == "default" and body.get("name", "default") != "default":
            raise refused(409, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
        if "stateful" in body:
            body["stateful"] = truth(body["stateful"])
            if body["stateful"] != row["stateful"] and self._ports(row["id"]):
                raise refused(409, "SecurityGroupInUse", f"Security Group {row['id']} in use.")
        self.table.change(row, **body)

    def view(self, row: Row, caller: Caller, *, single: bool = True) -> dict[str, Any]:
        """With its rules."""
        rules = self.neutron.rules.table.where(security_group_id=row["id"])
        view = super().view(row, caller)
        tail = {name: view.pop(name) for name in ("tags", "created_at", "updated_at", "revision_number")}
        view["shared"] = self.neutron.rbac.shared("security_group", row["id"], caller.project_id)
        view["security_group_rules"] = [self.neutron.rules.embedded(rule) for rule in rules]
        return {**view, **tail}

    def visible(self, row: Row, caller: Caller) -> bool:
        """Its own project's, and those shared with it."""
        return super().visible(row, caller) or self.neutron.rbac.reaches("security_group", row["id"], caller.project_id)

    def check_delete(self, row: Row, caller: Caller) -> None:
        """409 while a port has it; the default group is for administrators."""
        if row["name"] == "default" and not caller.is_admin:
            raise refused(
                409, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group."
            )
        if self._ports(row["id"]):
            raise refused(409, "SecurityGroupInUse", f"Security Group {row['id']} in use.")

    def _ports(self, group_id: str) -> bool:
        return any(group_id in port["security_groups"] for port in self.neutron.ports.table)

    def drop(self, row: Row) -> None:
        """Its rules, and other groups' rules that name it, go with it, without a notification."""
        for name in ("security_group_id", "remote_group_id"):
            for rule in self.neutron.rules.table.where(**{name: row["id"]}):
                self.neutron.rules.table.remove(rule["id"])
        self.neutron.rbac.forget(row["id"])
        self.table.remove(row["id"])
