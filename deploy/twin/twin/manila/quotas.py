"""Quota sets and limits of Manila."""

from typing import TYPE_CHECKING

from twin.core.errors import ApiError
from twin.core.http import Reply, Request

if TYPE_CHECKING:
    from twin.manila.service import Manila

DEFAULTS = {
    "shares": -1,
    "gigabytes": -1,
    "snapshots": 50,
    "snapshot_gigabytes": 1000,
    "share_networks": 10,
    "share_groups": 50,
    "share_group_snapshots": 50,
    "share_replicas": 100,
    "replica_gigabytes": 1000,
    "per_share_gigabytes": -1,
    "backups": 10,
    "backup_gigabytes": 1000,
}


class Quotas:
    """`quota-sets` and `limits`."""

    def __init__(self, manila: "Manila") -> None:
        self._manila = manila
        self._limits: dict[str, dict[str, int]] = {}
        router = manila.router
        base = "/v2/quota-sets/{project}"
        router.add("GET", base, self._show)
        router.add("GET", base + "/detail", self._detail)
        router.add("GET", base + "/defaults", self._show_defaults)
        router.add("PUT", base, self._set)
        router.add("DELETE", base, self._delete)
        router.add("GET", "/v2/limits", self._show_limits)

    def _all(self, project: str) -> dict[str, int]:
        return {**DEFAULTS, **self._limits.get(project, {})}

    def _used(self, project: str) -> dict[str, int]:
        rows = self._manila.shares.where(project_id=project)
        return {"shares": len(rows), "gigabytes": sum(row["size"] for row in rows)}

    def check(self, project: str, gigabytes: int, *, new: bool) -> None:
        """ApiError 413 when the project may not have so much more."""
        limits, used = self._all(project), self._used(project)
        if 0 <= limits["gigabytes"] < used["gigabytes"] + gigabytes:
            raise ApiError(
                413,
                "ShareSizeExceedsAvailableQuota: Requested share exceeds allowed project/user or share type gigabytes quota.",
            )
        if new and 0 <= limits["shares"] <= used["shares"]:
            raise ApiError(
                413,
                f"ShareLimitExceeded: Maximum number of shares allowed ({limits['shares']}) either per project/user or share "
                "type quota is exceeded.",
            )

    def _project(self, request: Request) -> str:
        project = request.params["project"]
        if not request.caller.sees(project):
            raise ApiError(403, "Policy doesn't allow quota_set:show to be performed.")
        return project

    def _show(self, request: Request) -> Reply:
        project = self._project(request)
        return Reply(200, {"quota_set": {**self._all(project), "id": project}})

    def _show_defaults(self, request: Request) -> Reply:
        return Reply(200, {"quota_set": {**DEFAULTS, "id": request.params["project"]}})

    def _detail(self, request: Request) -> Reply:
        project = self._project(request)
        used = self._used(project)
        detail = {
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
            for name, limit in self._all(project).items()
        }
        return Reply(200, {"quota_set": {**detail, "id": project}})

    def _set(self, request: Request) -> Reply:
        self._manila.need_admin(request, "quota_set:update")
        project = request.params["project"]
        body = dict(request.body("quota_set"))
        force = bool(body.pop("force", False))
        body.pop("tenant_id", None)
        used = self._used(project)
        for name, limit in body.items():
            if name not in DEFAULTS:
                raise ApiError(400, f"Bad key(s) {name} in quota_set")
            if not force and 0 <= int(limit) < used.get(name, 0):
                message = f"Quota value {limit} for {name} must be greater than or equal to already used and reserved {used[name]}."
                raise ApiError(400, message)
        self._limits.setdefault(project, {}).update({name: int(limit) for name, limit in body.items()})
        return Reply(200, {"quota_set": self._all(project)})

    def _delete(self, request: Request) -> Reply:
        self._manila.need_admin(request, "quota_set:delete")
        self._limits.pop(request.params["project"], None)
        return Reply(202)

    def _show_limits(self, request: Request) -> Reply:
        limits, used = self._all(request.caller.project_id), self._used(request.caller.project_id)
        absolute = {
            "maxTotalShares": limits["shares"],
            "maxTotalShareSnapshots": limits["snapshots"],
            "maxTotalShareGigabytes": limits["gigabytes"],
            "maxTotalSnapshotGigabytes": limits["snapshot_gigabytes"],
            "maxTotalShareNetworks": limits["share_networks"],
            "totalSharesUsed": used["shares"],
            "totalShareSnapshotsUsed": 0,
            "totalShareGigabytesUsed": used["gigabytes"],
            "totalSnapshotGigabytesUsed": 0,
            "totalShareNetworksUsed": 0,
        }
        return Reply(200, {"limits": {"rate": [], "absolute": absolute}})
