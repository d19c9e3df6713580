"""Security group rules: immutable, validated and compared as Neutron does."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.neutron import rule_checks
from twin.neutron.collection import Collection
from twin.neutron.errors import bad_request, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

SAME = ("direction", "ethertype", "port_range_min", "port_range_max", "remote_group_id", "remote_address_group_id")


class SecurityGroupRules(Collection):
    """`/v2.0/security-group-rules`."""

    singular = "security_group_rule"
    plural = "security_group_rules"
    path = "security-group-rules"
    label = "SecurityGroupRule"
    create_attributes = frozenset(
        (
            "security_group_id",
            "direction",
            "ethertype",
            "protocol",
            "port_range_min",
            "port_range_max",
            "remote_ip_prefix",
            "remote_group_id",
            "remote_address_group_id",
            "description",
        )
    )
    update_attributes = frozenset()
    filters = create_attributes | {"belongs_to_default_sg", "normalized_cidr"}
    quota = "security_group_rule"
    taggable = False

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron, "security_group_id", "remote_group_id", "remote_address_group_id")

    def missing(self, row_id: str) -> ApiError:
        """Its own words."""
        return refused(404, "SecurityGroupRuleNotFound", f"Security group rule {row_id} does not exist")

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """A checked rule; 409 when an equal one exists."""
        values = rule_checks.checked(body)
        group = self._visible_group(values["security_group_id"], caller)
        if values["remote_group_id"]:
            self._visible_group(values["remote_group_id"], caller)
        if values["remote_address_group_id"]:
            self.neutron.address_groups.found(values["remote_address_group_id"], caller)
        for other in self.table.where(security_group_id=group["id"]):
            if _equal(other, values):
                raise refused(
                    409, "SecurityGroupRuleExists", f"Security group rule already exists. Rule id is {other['id']}."
                )
        values["project_id"] = values["tenant_id"] = body["project_id"]
        row = self._add(group, values, values["description"])
        self.neutron.groups.touch(group)
        return row

    def _visible_group(self, group_id: str, caller: Caller) -> Row:
        return self.neutron.groups.found(str(group_id), caller)

    def from_template(self, group: Row, template: Row) -> None:
        """A rule that a new group is born with; `PARENT` stands for the group itself."""
        names = ("ethertype", "direction", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
        values = {name: template[name] for name in (*names, "remote_address_group_id")}
        remote = template["remote_group_id"]
        values["remote_group_id"] = group["id"] if remote == "PARENT" else remote
        values["normalized_cidr"] = rule_checks.normalized(values["remote_ip_prefix"])
        values["project_id"] = group["project_id"]
        self._add(group, values, None)

    def _add(self, group: Row, values: dict[str, Any], description: str | None) -> Row:
        standard = self.standard({"project_id": values["project_id"]})
        row = {
            "id": standard["id"],
            "project_id": values["project_id"],
            "security_group_id": group["id"],
            "ethertype": values["ethertype"],
            "direction": values["direction"],
            "protocol": values["protocol"],
            "port_range_min": values["port_range_min"],
            "port_range_max": values["port_range_max"],
            "remote_ip_prefix": values["remote_ip_prefix"],
            "remote_address_group_id": values["remote_address_group_id"],
            "normalized_cidr": values["normalized_cidr"],
            "remote_group_id": values["remote_group_id"],
            "belongs_to_default_sg": group["name"] == "default",
            "description": description,
            "created_at": standard["created_at"],
            "updated_at": standard["updated_at"],
            "revision_number": 0,
            "tenant_id": values["project_id"],
        }
        return self.table.add(row)

    def embedded(self, row: Row) -> dict[str, Any]:
        """The rule inside its group, with the inner attributes that Neutron lets through there."""
        return {**row, "standard_attr_id": self.neutron.serial(row["id"]), "tags": []}

    def visible(self, row: Row, caller: Caller) -> bool:
        """Its project's, and those of groups that are its own."""
        group = self.neutron.groups.table.get(row["security_group_id"])
        return super().visible(row, caller) or (group is not None and caller.sees(group["project_id"]))

    def found(self, row_id: str, caller: Caller, *, own: bool = False) -> Row:
        """The owner of the group may delete others' rules in it."""
        row = self.table.get(row_id)
        if row is None or not self.visible(row, caller):
            raise self.missing(row_id)
        return row

    def drop(self, row: Row) -> None:
        """Its group gets a new revision."""
        self.table.remove(row["id"])
        group = self.neutron.groups.table.get(row["security_group_id"])
        if group is not None:
            self.neutron.groups.touch(group)

    def update(self, request: Request) -> Reply:
        """Rules are immutable; the one attribute that the API lets through fails inside, as Neutron has no update."""
        self.found(request.params["id"], request.caller)
        for name in request.body("security_group_rule"):
            if name != "description":
                raise bad_request(f"Cannot update read-only attribute {name}")
        message = "Request Failed: internal server error while processing your request."
        raise refused(500, "HTTPInternalServerError", message)


def _equal(row: Row, values: dict[str, Any]) -> bool:
    if any(row[name] != values[name] for name in SAME):
        return False
    if rule_checks.number(row["protocol"]) != rule_checks.number(values["protocol"]):
        return False
    return rule_checks.somewhere(row["remote_ip_prefix"]) == rule_checks.somewhere(values["remote_ip_prefix"])
