"""Access rules and the other actions of shares. No access rule ever causes a notification (fact 5)."""

import base64
import hashlib
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from twin.core.clock import micros
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.manila import shares

if TYPE_CHECKING:
    from twin.manila.service import Manila

TYPES = ("ip", "user", "cert", "cephx")
DRIVER_TYPES = {"NFS": ("ip", "user"), "CEPHFS": ("cephx",), "CIFS": ("ip", "user")}


def routes(manila: "Manila") -> None:
    """Registers this room's paths."""
    router = manila.router
    router.add("POST", "/v2/shares/{id}/action", lambda request: _act(manila, request))
    router.add("GET", "/v2/share-access-rules", lambda request: _list(manila, request))
    router.add("GET", "/v2/share-access-rules/{rule}", lambda request: _show(manila, request))
    router.add("PUT", "/v2/share-access-rules/{rule}", lambda request: _update(manila, request))
    router.add("PUT", "/v2/share-access-rules/{rule}/metadata", lambda request: _metadata(manila, request))


def _act(manila: "Manila", request: Request) -> Reply:
    row = manila.share(request)
    body = request.json()
    name, arguments = next(iter(body.items())) if body else ("", {})
    arguments = arguments if isinstance(arguments, dict) else {}
    name = name.removeprefix("os-")
    if name == "allow_access":
        return _allow(manila, request, row, arguments)
    if name == "deny_access":
        return _deny(manila, request, row, str(arguments.get("access_id")))
    if name == "access_list":
        rules = manila.rules.where(share_id=row["id"])
        return Reply(200, {"access_list": [_view(rule, listed=True) for rule in rules]})
    if name in ("extend", "shrink"):
        return _resize(manila, request, row, name, int(arguments.get("new_size") or 0))
    if name == "reset_status":
        manila.need_admin(request, "share:reset_status")
        row["status"] = str(arguments.get("status") or row["status"])
        return Reply(202)
    if name == "force_delete":
        manila.need_admin(request, "share:force_delete")
        shares.begin_delete(manila, row, request.caller)
        return Reply(202)
    raise ApiError(400, f"There is no such action: {name}")


def _view(rule: Row, *, listed: bool = False) -> dict[str, Any]:
    view = {
        "id": rule["id"],
        "share_id": rule["share_id"],
        "access_level": rule["access_level"],
        "access_to": rule["access_to"],
        "access_type": rule["access_type"],
        "state": rule["state"],
        "access_key": rule["access_key"],
        "created_at": micros(rule["created"]),
        "updated_at": micros(rule["updated"]) if rule["updated"] else None,
        "metadata": dict(rule["metadata"]),
    }
    if listed:
        del view["share_id"]
    return view


def _allow(manila: "Manila", request: Request, row: Row, asked: dict[str, Any]) -> Reply:
    kind, target = str(asked.get("access_type") or ""), str(asked.get("access_to") or "").strip()
    level = asked.get("access_level") or "rw"
    if row["status"] != "available":
        raise ApiError(
            400,
            "New access rules cannot be applied while the share or any of its replicas or migration copies lacks a valid "
            "host or is in an invalid state.",
        )
    if kind not in TYPES:
        raise ApiError(400, f"Only {', '.join(TYPES[:-1])}, or {TYPES[-1]} access types are supported.")
    _check_target(kind, target)
    if level not in ("rw", "ro"):
        raise ApiError(400, f"Invalid access rule: Invalid share access level: {level}.")
    rules = manila.rules.where(share_id=row["id"])
    if any((rule["access_type"], rule["access_to"]) == (kind, target) for rule in rules):
        raise ApiError(400, f"Share access {kind}:{target} exists.")
    rule: Row = {
        "id": manila.cloud.chance.uuid("access_rule"),
        "share_id": row["id"],
        "access_type": kind,
        "access_to": target,
        "access_level": level,
        "state": "queued_to_apply",
        "access_key": None,
        "created": manila.cloud.clock.now(),
        "updated": None,
        "metadata": dict(asked.get("metadata") or {}),
    }
    manila.rules.add(rule)

    def applied() -> None:
        if rule["id"] not in manila.rules or rule["state"] != "queued_to_apply":
            return
        supported = kind in DRIVER_TYPES[row["proto"]]
        if supported and kind == "cephx":
            digest = hashlib.sha256((row["instance_id"] + target).encode()).digest()[:28]
            rule["access_key"] = "AQ" + base64.b64encode(digest).decode()
        rule.update(state="active" if supported else "error", updated=manila.cloud.clock.now())

    manila.cloud.later(rule["id"], "apply", 0.1, 0.5, applied)
    return Reply(200, {"access": _view(rule)})


def _check_target(kind: str, target: str) -> None:
    if kind == "ip":
        try:
            ip_network(target, strict=False)
        except ValueError:
            raise ApiError(400, f"'{target}' does not appear to be an IPv4 or IPv6 network") from None
    elif kind == "cephx":
        if not target or "." in target or not target.isascii() or not target.isprintable():
            raise ApiError(400, "Ceph IDs may not contain periods.")
    elif not 0 < len(target) <= 255:
        raise ApiError(400, "Invalid user or group name.")


def _deny(manila: "Manila", request: Request, row: Row, rule_id: str) -> Reply:
    rule = manila.rules.get(rule_id)
    if rule is None or rule["share_id"] != row["id"]:
        raise ApiError(404, "The resource could not be found.")
    rule.update(state="queued_to_deny", updated=manila.cloud.clock.now())

    def denied() -> None:
        if rule_id in manila.rules:
            manila.rules.remove(rule_id)

    manila.cloud.later(rule_id, "deny", 0.1, 0.4, denied)
    return Reply(202)


def _rule(manila: "Manila", request: Request) -> Row:
    rule = manila.rules.get(request.params["rule"])
    share = manila.shares.get(rule["share_id"]) if rule is not None else None
    if rule is None or share is None or not request.caller.sees(share["project_id"]):
        raise ApiError(404, f"Share access rule {request.params['rule']} not found.")
    return rule


def _show(manila: "Manila", request: Request) -> Reply:
    return Reply(200, {"access": _view(_rule(manila, request))})


def _list(manila: "Manila", request: Request) -> Reply:
    share = manila.shares.get(request.one("share_id"))
    if share is None or not request.caller.sees(share["project_id"]):
        raise ApiError(404, f"Share {request.one('share_id')} not found.")
    rules = manila.rules.where(share_id=share["id"])
    return Reply(200, {"access_list": [_view(rule, listed=True) for rule in rules]})


def _update(manila: "Manila", request: Request) -> Reply:
    rule = _rule(manila, request)
    level = (request.json().get("update_access") or {}).get("access_level")
    if level not in ("rw", "ro"):
        raise ApiError(400, f"Invalid share access level: '{level}'.")
    rule.update(access_level=level, updated=manila.cloud.clock.now())
    return Reply(200, {"access": _view(rule)})


def _metadata(manila: "Manila", request: Request) -> Reply:
    rule = _rule(manila, request)
    rule["metadata"] = {**rule["metadata"], **request.body("metadata")}
    return Reply(200, {"metadata": rule["metadata"]})


def _resize(manila: "Manila", request: Request, row: Row, name: str, size: int) -> Reply:
    if row["status"] != "available":
        message = f"Invalid share: Share {row['id']} status must be 'available' to {name}, but current status is: {row['status']}."
        raise ApiError(400, message)
    if name == "extend":
        if size <= row["size"]:
            raise ApiError(
                400,
                "Invalid input received: New size for extend must be greater than current size. "
                f"(current: {row['size']}, extended: {size}).",
            )
        manila.quotas.check(row["project_id"], size - row["size"], new=False)
    elif not 0 < size < row["size"]:
        raise ApiError(
            400,
            f"Invalid input received: New size for shrink must be less than current size and greater than 0 "
            f"(current: {row['size']}, new: {size})",
        )
    shares.extend(manila, row, size, request.caller)
    return Reply(202)
