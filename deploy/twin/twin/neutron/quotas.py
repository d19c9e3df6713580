"""Quotas of Neutron's resources."""

from typing import TYPE_CHECKING, Any

from twin.core.http import Reply, Request
from twin.neutron.errors import bad_input, bad_request, disallowed, refused

if TYPE_CHECKING:
    from twin.neutron.service import Neutron

DEFAULTS = {
    "network": -1,
    "subnet": -1,
    "subnetpool": -1,
    "port": -1,
    "router_route": 30,
    "router": -1,
    "floatingip": -1,
    "rbac_policy": 10,
    "security_group": -1,
    "security_group_rule": -1,
    "trunk": -1,
}
"""Unlimited where the lab's configuration has no limit."""


class Quotas:
    """`/v2.0/quotas`."""

    def __init__(self, neutron: "Neutron") -> None:
        self._neutron = neutron
        self._limits: dict[str, dict[str, int]] = {}
        router = neutron.router
        router.add("GET", "/v2.0/quotas", self._list)
        for suffix in ("", ".json"):
            base = "/v2.0/quotas/{project}"
            router.add("GET", f"{base}/details{suffix}", self._details)
            router.add("GET", f"{base}/default{suffix}", lambda request: Reply(200, {"quota": dict(DEFAULTS)}))
        router.add("GET", "/v2.0/quotas/{project}", self._show)
        router.add("PUT", "/v2.0/quotas/{project}", self._set)
        router.add("DELETE", "/v2.0/quotas/{project}", self._delete)

    def limit(self, project_id: str, resource: str) -> int:
        """The project's limit, -1 for none."""
        return self._limits.get(project_id, {}).get(resource, DEFAULTS[resource])

    def _used(self, project_id: str, resource: str) -> int:
        collection = next((one for one in self._neutron.collections if one.quota == resource), None)
        return collection.used(project_id) if collection is not None else 0

    def _project(self, request: Request) -> str:
        project = request.params["project"].removesuffix(".json")
        if not request.caller.sees(project):
            raise disallowed("rule:get_quota")
        return project

    def _all(self, project_id: str) -> dict[str, int]:
        return {**DEFAULTS, **self._limits.get(project_id, {})}

    def _list(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            raise disallowed("rule:get_quotas")
        rows = [{**self._all(project), "project_id": project, "tenant_id": project} for project in self._limits]
        return Reply(200, {"quotas": rows})

    def _show(self, request: Request) -> Reply:
        return Reply(200, {"quota": self._all(self._project(request))})

    def _details(self, request: Request) -> Reply:
        project = self._project(request)
        details = {
            name: {"limit": limit, "used": self._used(project, name), "reserved": 0}
            for name, limit in self._all(project).items()
        }
        return Reply(200, {"quota": details})

    def _set(self, request: Request) -> Reply:
        project = self._project(request)
        if not request.caller.is_admin:
            raise disallowed("rule:update_quota")
        body: dict[str, Any] = dict(request.body("quota"))
        force = bool(body.pop("force", False))
        body.pop("check_limit", None)
        for name, limit in body.items():
            if name not in DEFAULTS:
                raise bad_request(f"Unrecognized attribute(s) '{name}'")
            if isinstance(limit, bool) or not isinstance(limit, (int, str)) or not str(limit).lstrip("-").isdigit():
                raise bad_input(name, f"'{limit}' is not an integer.")
            used = self._used(project, name)
            if not force and 0 <= int(limit) < used:
                raise bad_request(
                    f"Quota limit {limit} for {name} must be greater than or equal to already used {used}"
                )
        self._limits.setdefault(project, {}).update({name: int(limit) for name, limit in body.items()})
        self._neutron.emit("quota.update.end", {"quota": self._all(project)}, request.caller)
        return Reply(200, {"quota": self._all(project)})

    def _delete(self, request: Request) -> Reply:
        project = self._project(request)
        if not request.caller.is_admin:
            raise disallowed("rule:delete_quota")
        if self._limits.pop(project, None) is None:
            raise refused(404, "TenantQuotaNotFound", f"Quota for project {project} could not be found.")
        return Reply(204)
