"""Manila's API, at one pinned microversion. Access keys come with the rules and end here."""

from collections.abc import Mapping
from typing import Any

from openstack import exceptions as sdk
from openstack.connection import Connection

from storage.domain.access import AccessRule, ObservedRule
from storage.domain.observed import ObservedShare
from storage.domain.steps import AllowAccess, CreateShare, DenyAccess, ExtendShare

MICROVERSION = "2.45"
"""The first with access rules as a resource of their own, which a list of 2.99 still answers; Manila of Stein."""
PAGE = 500
LIMITS = ("shares", "gigabytes")


def _call(connection: Connection, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The decoded answer; None where there is no body. Raises what the SDK raises for its status."""
    adapter = connection.shared_file_system
    answer = adapter.request(path, method, json=body, microversion=MICROVERSION, raise_exc=False)
    sdk.raise_from_response(answer)
    return answer.json() if answer.content else None


def shares(connection: Connection, project_id: str) -> list[ObservedShare]:
    """The project's shares, page by page, without rules and export locations."""
    found: list[ObservedShare] = []
    while True:
        query = f"all_tenants=1&project_id={project_id}&limit={PAGE}&offset={len(found)}"
        page = _call(connection, "GET", f"/shares/detail?{query}")["shares"]
        found += [_share(each) for each in page if each["project_id"] == project_id]
        if len(page) < PAGE:
            return found


def _share(each: Mapping[str, Any]) -> ObservedShare:
    return ObservedShare(
        share_id=each["id"],
        name=each["name"] or "",
        size_gib=int(each["size"]),
        protocol=each["share_proto"] or "",
        share_type=each.get("share_type_name") or each.get("share_type") or "",
        status=each["status"],
        created_at=each["created_at"] or "",
        metadata={str(key): str(value) for key, value in (each.get("metadata") or {}).items()},
        is_blank=not (each.get("snapshot_id") or each.get("source_backup_id")),
    )


def project_of(connection: Connection, share_id: str) -> str:
    """The project that the share is in. Raises NotFound's cause when there is none."""
    return str(_call(connection, "GET", f"/shares/{share_id}")["share"]["project_id"])


def rules(connection: Connection, share_id: str) -> tuple[ObservedRule, ...]:
    """The share's access rules; the keys that Manila sends along are not looked at."""
    listed = _call(connection, "GET", f"/share-access-rules?share_id={share_id}")["access_list"]
    return tuple(
        ObservedRule(
            each["id"], AccessRule(each["access_type"], each["access_to"], each["access_level"]), each["state"]
        )
        for each in listed
    )


def export_locations(connection: Connection, share_id: str) -> tuple[str, ...]:
    """Where the share is mounted from, those that are meant for nodes."""
    listed = _call(connection, "GET", f"/shares/{share_id}/export_locations")["export_locations"]
    return tuple(each["path"] for each in listed if not each.get("is_admin_only"))


def limits(connection: Connection, project_id: str) -> dict[str, int]:
    """The project's upper bounds; -1 is none."""
    quota = _call(connection, "GET", f"/quota-sets/{project_id}")["quota_set"]
    return {name: int(quota[name]) for name in LIMITS if name in quota}


def set_limits(connection: Connection, project_id: str, wanted: Mapping[str, int]) -> None:
    """Bound the project, also below its present use: what a smaller document leaves is still being deleted."""
    _call(connection, "PUT", f"/quota-sets/{project_id}", {"quota_set": {**wanted, "force": True}})


def forget_limits(connection: Connection, project_id: str) -> None:
    """Drop Manila's record of the project's bounds."""
    _call(connection, "DELETE", f"/quota-sets/{project_id}")


def create(connection: Connection, step: CreateShare) -> str:
    """Begin to make a share, visible to its project only; returns its id."""
    body = {
        "name": step.name,
        "size": step.size_gib,
        "share_proto": step.protocol,
        "share_type": step.share_type,
        "is_public": False,
        "metadata": dict(step.metadata),
    }
    return str(_call(connection, "POST", "/shares", {"share": body})["share"]["id"])


def extend(connection: Connection, step: ExtendShare) -> None:
    """Begin to make the share as large as that."""
    _call(connection, "POST", f"/shares/{step.share_id}/action", {"extend": {"new_size": step.size_gib}})


def delete(connection: Connection, share_id: str) -> None:
    """Begin to delete the share with its rules."""
    _call(connection, "DELETE", f"/shares/{share_id}")


def allow(connection: Connection, step: AllowAccess) -> str:
    """Add the rule; returns its id."""
    asked = {"access_type": step.rule.kind, "access_to": step.rule.to, "access_level": step.rule.level}
    return str(_call(connection, "POST", f"/shares/{step.share_id}/action", {"allow_access": asked})["access"]["id"])


def deny(connection: Connection, step: DenyAccess) -> None:
    """Take the rule away."""
    _call(connection, "POST", f"/shares/{step.share_id}/action", {"deny_access": {"access_id": step.rule_id}})
