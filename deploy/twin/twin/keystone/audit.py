"""Keystone's notifications: CADF events on the exchange `keystone`, without a request context."""

from typing import TYPE_CHECKING, Any

from twin.core.http import Request

if TYPE_CHECKING:
    from twin.keystone.service import Keystone

TYPE_URIS = {
    "project": "data/security/project",
    "user": "data/security/account/user",
    "group": "data/security/group",
    "role": "data/security/role",
    "domain": "data/security/domain",
    "application_credential": "data/security/credential",
}
PUBLISHER = "identity.ctl"


def changed(keystone: "Keystone", request: Request, operation: str, kind: str, resource_id: str) -> None:
    """`identity.<kind>.<operation>`, operation created, updated or deleted."""
    payload = _event(keystone, request, f"{operation}.{kind}", "success")
    payload["target"] = {"id": resource_id, "typeURI": TYPE_URIS[kind]}
    payload["resource_info"] = resource_id
    _emit(keystone, f"identity.{kind}.{operation}", payload)


def assigned(keystone: "Keystone", request: Request, operation: str, facts: dict[str, Any]) -> None:
    """`identity.role_assignment.<operation>`; facts name project or domain, user or group, and role."""
    payload = _event(keystone, request, f"{operation}.role_assignment", "success")
    payload["target"] = {"id": keystone.cloud.chance.uuid("cadf"), "typeURI": "service/security/account/user"}
    payload.update(facts)
    _emit(keystone, f"identity.role_assignment.{operation}", payload)


def authenticated(keystone: "Keystone", request: Request, user: dict[str, Any] | None, success: bool) -> None:
    """`identity.authenticate` with its outcome."""
    payload = _event(keystone, request, "authenticate", "success" if success else "failure")
    host = payload["initiator"]["host"]
    payload["initiator"] = {
        "id": user["id"] if user else "unknown",
        "typeURI": "service/security/account/user",
        "host": host,
        "request_id": request.request_id,
    }
    if user is not None:
        payload["initiator"].update(user_id=user["id"], name=user["name"], username=user["name"])
    payload["target"] = {"id": keystone.cloud.chance.uuid("cadf"), "typeURI": "service/security/account/user"}
    _emit(keystone, "identity.authenticate", payload)


def _event(keystone: "Keystone", request: Request, action: str, outcome: str) -> dict[str, Any]:
    caller = request.caller
    return {
        "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event",
        "eventType": "activity",
        "id": keystone.cloud.chance.uuid("cadf"),
        "eventTime": keystone.cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f+0000"),
        "action": action,
        "outcome": outcome,
        "observer": {"id": keystone.service_id("identity"), "typeURI": "service/security"},
        "initiator": {
            "id": caller.user_id,
            "typeURI": "service/security/account/user",
            "host": {"address": "127.0.0.1", "agent": request.headers.get("user-agent", "")},
            "user_id": caller.user_id,
            **({"project_id": caller.project_id} if caller.project_id else {}),
            "request_id": request.request_id,
            **({"global_request_id": caller.global_request_id} if caller.global_request_id else {}),
            "name": caller.user_name,
            "username": caller.user_name,
        },
    }


def _emit(keystone: "Keystone", event_type: str, payload: dict[str, Any]) -> None:
    keystone.cloud.notify("keystone", "keystone", PUBLISHER, event_type, payload, None)
