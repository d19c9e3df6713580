"""Volume attachments of servers; Cinder keeps the other half."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request, truth
from twin.core.table import Row
from twin.nova import events, lifecycle

if TYPE_CHECKING:
    from twin.nova.service import Nova


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    router = nova.router
    base = "/v2.1/servers/{id}/os-volume_attachments"
    router.add("GET", base, lambda request: _list(nova, request))
    router.add("POST", base, lambda request: _attach(nova, request))
    router.add("GET", base + "/{volume}", lambda request: _show(nova, request))
    router.add("DELETE", base + "/{volume}", lambda request: _detach(nova, request))


def _view(server: Row, one: dict[str, Any], request: Request) -> dict[str, Any]:
    view = {"serverId": server["id"], "volumeId": one["volume_id"], "device": one["device"]}
    if request.microversion < (2, 89):
        view["id"] = one["volume_id"]
    else:
        view["attachment_id"] = one["attachment_id"]
        view["bdm_uuid"] = one["attachment_id"]
    if request.microversion >= (2, 70):
        view["tag"] = None
    if request.microversion >= (2, 79):
        view["delete_on_termination"] = one["delete_on_termination"]
    return view


def _list(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    return Reply(200, {"volumeAttachments": [_view(server, one, request) for one in server["volumes"]]})


def _find(server: Row, volume_id: str) -> dict[str, Any]:
    found = next((one for one in server["volumes"] if one["volume_id"] == volume_id), None)
    if found is None:
        raise ApiError(404, f"Volume {volume_id} could not be found.")
    return dict(found)


def _show(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    return Reply(200, {"volumeAttachment": _view(server, _find(server, request.params["volume"]), request)})


def _attach(nova: "Nova", request: Request) -> Reply:
    from twin.nova.actions import check_state

    server = nova.server(request)
    lifecycle.check_unlocked(server, request.caller)
    check_state(server, "attach_volume", ("active", "paused", "stopped", "suspended"))
    asked = request.body("volumeAttachment")
    volume_id = str(asked.get("volumeId"))
    letter = "bcdefghijklmnopqrstuvwxyz"[min(len(server["volumes"]), 24)]
    device = asked.get("device") or f"/dev/sd{letter}"
    lifecycle.record(nova, server, "attach_volume", request.caller)
    lifecycle.stamp(nova, server, request.caller)
    attachment_id = nova.cloud.cinder.reserve(volume_id, server, device, request.caller)
    one = {
        "volume_id": volume_id,
        "attachment_id": attachment_id,
        "device": device,
        "delete_on_termination": truth(asked.get("delete_on_termination", False)),
    }
    server["volumes"] = [*server["volumes"], one]

    def attach() -> None:
        if server["id"] not in nova.servers or one not in server["volumes"]:
            return
        more = {"volume_id": volume_id}
        events.action(nova, server, None, "volume_attach.start", kind="volume", more=more)
        nova.cloud.cinder.attach(volume_id, attachment_id, server)
        events.action(nova, server, "volume.attach", "volume_attach.end", kind="volume", more=more, plain_more=more)

    nova.cloud.later(server["id"], f"attach:{attachment_id}", 0.1, 0.5, attach)
    return Reply(200, {"volumeAttachment": _view(server, one, request)})


def _detach(nova: "Nova", request: Request) -> Reply:
    server = nova.server(request)
    lifecycle.check_unlocked(server, request.caller)
    one = _find(server, request.params["volume"])
    lifecycle.record(nova, server, "detach_volume", request.caller)
    lifecycle.stamp(nova, server, request.caller)
    nova.cloud.cinder.begin_detach(one["volume_id"])

    def detach() -> None:
        if server["id"] not in nova.servers:
            return
        more = {"volume_id": one["volume_id"]}
        events.action(nova, server, None, "volume_detach.start", kind="volume", more=more)
        nova.cloud.cinder.detach(one["volume_id"], one["attachment_id"], server["initiator"])
        events.action(nova, server, "volume.detach", "volume_detach.end", kind="volume", more=more, plain_more=more)
        server["volumes"] = [other for other in server["volumes"] if other["volume_id"] != one["volume_id"]]

    nova.cloud.later(server["id"], f"detach:{one['attachment_id']}", 0.1, 0.5, detach)
    return Reply(202)
