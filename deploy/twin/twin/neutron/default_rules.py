"""The template of the rules that new groups are born with (fact 7); administrators may edit it."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.table import Row
from twin.neutron import rule_checks
from twin.neutron.collection import Collection
from twin.neutron.errors import disallowed, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

NAMES = (
    "ethertype",
    "direction",
    "protocol",
    "port_range_min",
    "port_range_max",
    "remote_ip_prefix",
    "remote_address_group_id",
    "remote_group_id",
)


class DefaultRules(Collection):
    """`/v2.0/default-security-group-rules`."""

    singular = "default_security_group_rule"
    plural = "default_security_group_rules"
    path = "default-security-group-rules"
    label = "DefaultSecurityGroupRule"
    create_attributes = frozenset((*NAMES, "description", "used_in_default_sg", "used_in_non_default_sg"))
    filters = create_attributes
    taggable = False

    def __init__(self, neutron: "Neutron") -> None:
        super().__init__(neutron)
        for ethertype in ("IPv4", "IPv6"):
            self._add(
                {"ethertype": ethertype, "direction": "egress"}, "Legacy default SG rule for egress traffic", True, True
            )
            self._add(
                {"ethertype": ethertype, "direction": "ingress", "remote_group_id": "PARENT"},
                "Legacy default SG rule for ingress traffic",
                True,
                False,
            )

    def _add(self, values: dict[str, Any], description: str, default: bool, other: bool) -> Row:
        row: Row = {"id": self.cloud.chance.uuid(self.singular), **{name: values.get(name) for name in NAMES}}
        row.update(description=description, used_in_default_sg=default, used_in_non_default_sg=other)
        return self.table.add(row)

    def make(self, body: dict[str, Any], caller: Caller) -> Row:
        """For administrators."""
        if not caller.is_admin:
            raise disallowed("rule:create_default_security_group_rule")
        values = rule_checks.checked({**body, "security_group_id": "template"})
        for other in self.table:
            if all(other[name] == values.get(name) for name in NAMES):
                message = f"Default Security group rule already exists. Rule id is {other['id']}."
                raise refused(409, "DefaultSecurityGroupRuleExists", message)
        return self._add(
            values,
            body.get("description") or "",
            bool(body.get("used_in_default_sg")),
            bool(body.get("used_in_non_default_sg", True)),
        )

    def visible(self, row: Row, caller: Caller) -> bool:
        """Everybody may read it."""
        return True

    def found(self, row_id: str, caller: Caller, *, own: bool = False) -> Row:
        """Administrators may change it."""
        row = self.table.get(row_id)
        if row is None:
            raise refused(
                404, "DefaultSecurityGroupRuleNotFound", f"Default Security Group rule {row_id} does not exist"
            )
        if own and not caller.is_admin:
            raise disallowed("rule:delete_default_security_group_rule")
        return row

    def check_revision(self, row: Row, request: Any) -> None:
        """Template rules have no revision."""

    def touch(self, row: Row, revisions: int = 1) -> None:
        """Template rules have no revision."""
