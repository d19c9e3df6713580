"""Quota sets and limits of Cinder."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request

if TYPE_CHECKING:
    from twin.cinder.service import Cinder

DEFAULTS = {
    "volumes": -1,
    "per_volume_gigabytes": -1,
    "snapshots": -1,
    "gigabytes": -1,
    "backups": 10,
    "backup_gigabytes": 1000,
    "groups": 10,
}


class Quotas:
    """`os-quota-sets` and `limits`."""

    def __init__(self, cinder: "Cinder") -> None:
        self._cinder = cinder
        self._limits: dict[str, dict[str, int]] = {}
        router = cinder.router
        for base in ("/v3/os-quota-sets/{project}", "/v3/{scope}/os-quota-sets/{project}"):
            router.add("GET", base, self._show)
            router.add("PUT", base, self._set)
            router.add("DELETE", base, self._delete)
            router.add(
                "GET", base + "/defaults", lambda request: Reply(200, {"quota_set": self._named(request, DEFAULTS)})
            )
        router.add("GET", "/v3/limits", self._show_limits)
        router.add("GET", "/v3/{scope}/limits", self._show_limits)

    def _all(self, project: str) -> dict[str, int]:
        found = dict(DEFAULTS)
        for kind in self._cinder.types:
            for name in ("volumes", "gigabytes", "snapshots"):
                found[f"{name}_{kind['name']}"] = -1
        return {**found, **self._limits.get(project, {})}

    def used(self, project: str) -> dict[str, int]:
        """What the project has."""
        volumes = self._cinder.volumes.where(project_id=project)
        snapshots = self._cinder.snapshots.where(project_id=project)
        used = {
            "volumes": len(volumes),
            "snapshots": len(snapshots),
            "gigabytes": sum(row["size"] for row in volumes) + sum(row["size"] for row in snapshots),
        }
        for kind in self._cinder.types:
            own = [row for row in volumes if row["type_id"] == kind["id"]]
            used[f"volumes_{kind['name']}"] = len(own)
            used[f"gigabytes_{kind['name']}"] = sum(row["size"] for row in own)
        return used

    def check(self, project: str, gigabytes: int, *, volume: bool = False, snapshot: bool = False) -> None:
        """ApiError 413 when the project may not have so much more."""
        limits, used = self._all(project), self.used(project)
        limit = limits["gigabytes"]
        if 0 <= limit < used["gigabytes"] + gigabytes:
            raise ApiError(
                413,
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested "
                f"{gigabytes}G, quota is {limit}G and {used['gigabytes']}G has been consumed.",
            )
        for kind, wanted in (("volumes", volume), ("snapshots", snapshot)):
            if wanted and 0 <= limits[kind] <= used[kind]:
                title = kind[:-1].capitalize()
                message = f"{title}LimitExceeded: Maximum number of {kind} allowed ({limits[kind]}) exceeded for quota '{kind}'."
                raise ApiError(413, message)

    @staticmethod
    def _named(request: Request, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "id": request.params["project"]}

    def _project(self, request: Request) -> str:
        project = request.params["project"]
        if not request.caller.sees(project):
            raise ApiError(403, "Policy doesn't allow volume_extension:quotas:show to be performed.")
        return project

    def _show(self, request: Request) -> Reply:
        project = self._project(request)
        limits = self._all(project)
        if not request.flag("usage"):
            return Reply(200, {"quota_set": self._named(request, limits)})
        used = self.used(project)
        detail = {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}
        return Reply(200, {"quota_set": self._named(request, detail)})

    def _set(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            raise ApiError(403, "Policy doesn't allow volume_extension:quotas:update to be performed.")
        project = request.params["project"]
        known = self._all(project)
        body = {
            key: value
            for key, value in request.body("quota_set").items()
            if key not in ("tenant_id", "skip_validation")
        }
        bad = [name for name in body if name not in known]
        if bad:
            raise ApiError(400, f"Bad key(s) in quota set: {', '.join(bad)}")
        self._limits.setdefault(project, {}).update({name: int(value) for name, value in body.items()})
        return Reply(200, {"quota_set": self._all(project)})

    def _delete(self, request: Request) -> Reply:
        if not request.caller.is_admin:
            raise ApiError(403, "Policy doesn't allow volume_extension:quotas:delete to be performed.")
        self._limits.pop(request.params["project"], None)
        return Reply(200)

    def _show_limits(self, request: Request) -> Reply:
        project = request.one("project_id") or request.caller.project_id
        limits, used = self._all(project), self.used(project)
        absolute = {
            "maxTotalVolumes": limits["volumes"],
            "maxTotalSnapshots": limits["snapshots"],
            "maxTotalVolumeGigabytes": limits["gigabytes"],
            "maxTotalBackups": limits["backups"],
            "maxTotalBackupGigabytes": limits["backup_gigabytes"],
            "totalVolumesUsed": used["volumes"],
            "totalGigabytesUsed": used["gigabytes"],
            "totalSnapshotsUsed": used["snapshots"],
            "totalBackupsUsed": 0,
            "totalBackupGigabytesUsed": 0,
        }
        return Reply(200, {"limits": {"rate": [], "absolute": absolute}})
