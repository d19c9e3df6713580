"""Quota sets, limits and the claims of new servers."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row

if TYPE_CHECKING:
    from twin.nova.service import Nova


class Quotas:
    """`os-quota-sets` and `limits`."""

    def __init__(self, nova: "Nova") -> None:
        self._nova = nova
        settings = nova.cloud.settings
        self._defaults = {
            "cores": settings.cores_quota,
            "instances": settings.instances_quota,
            "key_pairs": 100,
            "metadata_items": 128,
            "ram": settings.ram_mib_quota,
            "server_group_members": 10,
            "server_groups": 1000,
        }
        self._limits: dict[str, dict[str, int]] = {}
        self._numbers: dict[str, int] = {}
        router = nova.router
        base = "/v2.1/os-quota-sets/{project}"
        router.add("GET", base, self._show)
        router.add("GET", base + "/detail", self._detail)
        router.add("GET", base + "/defaults", self._show_defaults)
        router.add("PUT", base, self._set)
        router.add("DELETE", base, self._delete)
        router.add("GET", "/v2.1/limits", self._show_limits)

    def next_number(self, kind: str = "server") -> int:
        """A serial number, as databases give."""
        self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return self._numbers[kind]

    def _all(self, project: str) -> dict[str, int]:
        return {**self._defaults, **self._limits.get(project, {})}

    def _used(self, project: str) -> dict[str, int]:
        taken = self._nova.servers.taken("project_id", project)
        return {
            "instances": taken.servers,
            "cores": taken.vcpus,
            "ram": taken.ram_mib,
            "server_groups": len(self._nova.server_groups.where(project_id=project)),
        }

    def claim(self, project: str, flavor: Row, least: int, most: int) -> int:
        """How many servers may be made; ApiError 403 when not even the least."""
        limits, used = self._all(project), self._used(project)
        each = {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}
        allowed = most
        over: list[str] = []
        for name, size in each.items():
            if limits[name] >= 0 and size:
                fitting = (limits[name] - used[name]) // size
                allowed = min(allowed, fitting)
                if fitting < least:
                    over.append(name)
        if over:
            wanted = ", ".join(str(each[name] * least) for name in over)
            have = ", ".join(str(used[name]) for name in over)
            limit = ", ".join(str(limits[name]) for name in over)
            names = ", ".join(over)
            message = f"Quota exceeded for {names}: Requested {wanted}, but already used {have} of {limit} {names}"
            raise ApiError(403, message)
        return allowed

    def check_growth(self, project: str, before: Row, after: Row) -> None:
        """ApiError 403 when a resize needs more than is left."""
        limits, used = self._all(project), self._used(project)
        for name, key in (("cores", "vcpus"), ("ram", "ram")):
            more = after[key] - before[key]
            if more > 0 and 0 <= limits[name] < used[name] + more:
                message = f"Quota exceeded for {name}: Requested {more}, but already used {used[name]} of {limits[name]} {name}"
                raise ApiError(403, message)

    def check_keypairs(self, user: str) -> None:
        """ApiError 403 over the limit."""
        if len(self._nova.keypairs.where(user_id=user)) >= self._defaults["key_pairs"]:
            raise ApiError(403, "Quota exceeded, too many key pairs.")

    def check_groups(self, project: str) -> None:
        """ApiError 403 over the limit."""
        limit = self._all(project)["server_groups"]
        if 0 <= limit <= self._used(project)["server_groups"]:
            raise ApiError(403, "Quota exceeded, too many server groups.")

    def _project(self, request: Request) -> str:
        project = request.params["project"]
        if not request.caller.sees(project):
            raise ApiError(403, "Policy doesn't allow os_compute_api:os-quota-sets:show to be performed.")
        return project

    def _show(self, request: Request) -> Reply:
        project = self._project(request)
        return Reply(200, {"quota_set": {"id": project, **self._all(project)}})

    def _show_defaults(self, request: Request) -> Reply:
        return Reply(200, {"quota_set": {"id": request.params["project"], **self._defaults}})

    def _detail(self, request: Request) -> Reply:
        project = self._project(request)
        used = self._used(project)
        detail = {
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
            for name, limit in self._all(project).items()
        }
        return Reply(200, {"quota_set": {"id": project, **detail}})

    def _set(self, request: Request) -> Reply:
        self._nova.need_admin(request, "os_compute_api:os-quota-sets:update")
        project = request.params["project"]
        body: dict[str, Any] = dict(request.body("quota_set"))
        force = bool(body.pop("force", False))
        body.pop("tenant_id", None)
        used = self._used(project)
        values: dict[str, int] = {}
        for name, limit in body.items():
            if name not in self._defaults:
                message = (
                    f"Invalid input for field/attribute quota_set. Value: {body}. Additional properties are not allowed "
                    f"('{name}' was unexpected)"
                )
                raise ApiError(400, message)
            values[name] = int(limit)
            if not force and 0 <= values[name] < used.get(name, 0):
                message = (
                    f"Quota limit {limit} for {name} must be greater than or equal to already used and reserved "
                    f"{used.get(name, 0)}."
                )
                raise ApiError(400, message)
        self._limits.setdefault(project, {}).update(values)
        return Reply(200, {"quota_set": self._all(project)})

    def _delete(self, request: Request) -> Reply:
        self._nova.need_admin(request, "os_compute_api:os-quota-sets:delete")
        self._limits.pop(request.params["project"], None)
        return Reply(202)

    def _show_limits(self, request: Request) -> Reply:
        project = request.one("tenant_id") or request.caller.project_id
        limits, used = self._all(project), self._used(project)
        absolute = {
            "maxTotalCores": limits["cores"],
            "maxTotalInstances": limits["instances"],
            "maxTotalKeypairs": limits["key_pairs"],
            "maxServerMeta": limits["metadata_items"],
            "maxTotalRAMSize": limits["ram"],
            "maxServerGroups": limits["server_groups"],
            "maxServerGroupMembers": limits["server_group_members"],
            "totalRAMUsed": used["ram"],
            "totalCoresUsed": used["cores"],
            "totalInstancesUsed": used["instances"],
            "totalServerGroupsUsed": used["server_groups"],
        }
        return Reply(200, {"limits": {"rate": [], "absolute": absolute}})
