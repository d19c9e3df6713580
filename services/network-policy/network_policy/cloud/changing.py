"""Single changes to Neutron, each carrying the request id that its notification will name."""

from collections.abc import Iterable, Mapping
from typing import Any

from openstack.connection import Connection
from openstack.exceptions import raise_from_response

from network_policy.domain.rule import RemoteKind, Rule, neutron_protocol
from shared.cloud import Cloud
from shared.errors import NotFound


def rule_body(group_id: str, project_id: str, rule: Rule) -> dict[str, Any]:
    """A bound rule as Neutron's API takes it."""
    kind = rule.remote.kind
    return {
        "security_group_id": group_id,
        "project_id": project_id,
        "direction": rule.direction,
        "ethertype": rule.ethertype,
        "protocol": neutron_protocol(rule),
        "port_range_min": rule.low,
        "port_range_max": rule.high,
        "remote_ip_prefix": rule.remote.value if kind is RemoteKind.PREFIX else None,
        "remote_group_id": rule.remote.value if kind is RemoteKind.GROUP else None,
        "remote_address_group_id": rule.remote.value if kind is RemoteKind.ADDRESS_GROUP else None,
    }


class ChangingCloud:
    """Writes, one call each."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    async def create_group(
        self, name: str, description: str, project_id: str, *, request_id: str, stateful: bool = True
    ) -> str:
        """A group in the project. Returns its id. Raises CloudError."""
        body: dict[str, Any] = {"name": name, "description": description, "project_id": project_id}
        if not stateful:
            body["stateful"] = False  # said only where it matters: backends without the extension refuse the field
        made = await self._cloud.call(
            lambda c: send(c, "post", "/security-groups", {"security_group": body}), request_id=request_id
        )
        return str(made["security_group"]["id"])

    async def tag_group(self, group_id: str, tag: str, *, request_id: str) -> None:
        """Put a tag on a group, for people who look at it. Raises CloudError."""
        await self._cloud.call(
            lambda c: send(c, "put", f"/security-groups/{group_id}/tags/{tag}", None), request_id=request_id
        )

    async def create_rules(self, group_id: str, project_id: str, rules: Iterable[Rule], *, request_id: str) -> None:
        """All of the rules in one call, all or none. Raises CloudError; Conflict when one of them exists."""
        bodies = [rule_body(group_id, project_id, rule) for rule in rules]
        await self._cloud.call(
            lambda c: send(c, "post", "/security-group-rules", {"security_group_rules": bodies}), request_id=request_id
        )

    async def delete_rule(self, rule_id: str, *, request_id: str, urgent: bool = False) -> None:
        """Delete a rule; one that is gone is deleted. `urgent`: ahead of any listing. Raises CloudError."""
        await self._delete(f"/security-group-rules/{rule_id}", request_id, urgent=urgent)

    async def delete_group(self, group_id: str, *, request_id: str, revision: int | None = None) -> None:
        """Delete a group with its rules; one that is gone is deleted.

        Raises CloudError; Conflict while it is used, or when it has changed since `revision` was read.
        """
        await self._delete(f"/security-groups/{group_id}", request_id, headers=at_revision(revision))

    async def protect_port(
        self, port_id: str, group_ids: Iterable[str], *, revision: int, request_id: str, urgent: bool = False
    ) -> None:
        """Put the port into exactly these groups, filtered, with no address but its own.

        Raises CloudError; Conflict when the port has changed since `revision` was read.
        """
        body = {"port_security_enabled": True, "security_groups": sorted(group_ids), "allowed_address_pairs": []}
        headers = at_revision(revision)
        await self._cloud.call(
            lambda c: send(c, "put", f"/ports/{port_id}", {"port": body}, headers), request_id=request_id, urgent=urgent
        )

    async def _delete(
        self, path: str, request_id: str, *, urgent: bool = False, headers: Mapping[str, str] | None = None
    ) -> None:
        try:
            await self._cloud.call(
                lambda c: send(c, "delete", path, None, headers), request_id=request_id, urgent=urgent
            )
        except NotFound:
            return


def at_revision(revision: int | None) -> dict[str, str]:
    """The header by which Neutron refuses a change of what has changed meanwhile (I9)."""
    return {} if revision is None else {"If-Match": f"revision_number={revision}"}


def send(
    connection: Connection,
    method: str,
    path: str,
    body: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What Neutron answers to one write."""
    # The proxy's own retries are off: a write is made once (I2), and its caller decides what a failure means.
    response = connection.network.request(
        path, method.upper(), json=body, headers=dict(headers or {}), connect_retries=0, status_code_retries=0
    )
    raise_from_response(response)
    found = response.json() if response.content else {}
    return found if isinstance(found, dict) else {}
