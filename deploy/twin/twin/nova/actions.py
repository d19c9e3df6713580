"""`POST /servers/{id}/action`: power, pause, lock, shelve, groups, images."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.nova import events, lifecycle, moves, networking, scheduler

if TYPE_CHECKING:
    from twin.nova.service import Nova


@dataclass(frozen=True, slots=True)
class Change:
    """A plain change of state: from where, through which task, to where, and the notifications' name."""

    allowed: tuple[str, ...]
    task: str
    state: str
    power_state: int
    event: str
    low: float = 0.1
    high: float = 0.4


CHANGES = {
    "os-stop": Change(("active", "error"), "powering-off", "stopped", 4, "power_off"),
    "os-start": Change(("stopped",), "powering-on", "active", 1, "power_on"),
    "pause": Change(("active",), "pausing", "paused", 3, "pause"),
    "unpause": Change(("paused",), "unpausing", "active", 1, "unpause"),
    "suspend": Change(("active",), "suspending", "suspended", 4, "suspend"),
    "resume": Change(("suspended",), "resuming", "active", 1, "resume"),
}
NAMES = {"os-stop": "stop", "os-start": "start"}
"""What messages and the history call an action."""


def routes(nova: "Nova") -> None:
    """Registers this room's paths."""
    nova.router.add("POST", "/v2.1/servers/{id}/action", lambda request: _act(nova, request))


def _act(nova: "Nova", request: Request) -> Reply:
    body = request.json()
    server = nova.server(request)
    if not isinstance(body, dict) or len(body) != 1:
        raise ApiError(400, "There is no such action: ")
    name, arguments = next(iter(body.items()))
    handler = HANDLERS.get(name)
    if name not in CHANGES and handler is None:
        raise ApiError(400, f"There is no such action: {name}")
    if name in CHANGES:
        _change(nova, request, server, name)
        return Reply(202)
    assert handler is not None
    return handler(nova, request, server, arguments if isinstance(arguments, dict) else {})


def check_state(server: Row, name: str, allowed: tuple[str, ...], *, any_task: bool = False) -> None:
    """ApiError 409 in another state, or while a task runs."""
    if server["host"] is None and server["vm_state"] == "error":
        raise ApiError(409, f"Instance {server['id']} is not ready")
    if server["vm_state"] not in allowed:
        raise ApiError(409, f"Cannot '{name}' instance {server['id']} while it is in vm_state {server['vm_state']}")
    if server["task_state"] is not None and not any_task:
        raise ApiError(409, f"Cannot '{name}' instance {server['id']} while it is in task_state {server['task_state']}")


def begin(nova: "Nova", request: Request, server: Row, name: str, task: str) -> None:
    """Takes the server into a task: the first write of most operations."""
    lifecycle.record(nova, server, name, request.caller)
    lifecycle.stamp(nova, server, request.caller)
    nova.servers.change(server, task_state=task)
    events.updated(nova, server, server["vm_state"], task)


def _change(nova: "Nova", request: Request, server: Row, name: str) -> None:
    change = CHANGES[name]
    label = NAMES.get(name, name)
    lifecycle.check_unlocked(server, request.caller)
    check_state(server, label, change.allowed)
    begin(nova, request, server, label, change.task)

    def act() -> None:
        events.action(nova, server, f"{change.event}.start", f"{change.event}.start")
        lifecycle.write(nova, server, vm_state=change.state, task_state=None, power_state=change.power_state)
        events.action(nova, server, f"{change.event}.end", f"{change.event}.end")

    lifecycle.run(nova, server, name, [("act", change.low, change.high, act)])


def _reboot(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    kind = str(arguments.get("type", "")).upper()
    if kind not in ("SOFT", "HARD"):
        raise ApiError(400, f"Invalid input for field/attribute type. Value: {arguments.get('type')}.")
    lifecycle.check_unlocked(server, request.caller)
    allowed = ("active", "stopped", "paused", "suspended", "error") if kind == "HARD" else ("active",)
    check_state(server, "reboot", allowed)
    task = "rebooting" if kind == "SOFT" else "rebooting_hard"
    begin(nova, request, server, "reboot", task)

    def act() -> None:
        suffix = "" if kind == "SOFT" else "_hard"
        old = server["task_state"]
        server["task_state"] = f"reboot_pending{suffix}"
        events.action(nova, server, "reboot.start", "reboot.start")
        events.updated(nova, server, server["vm_state"], old)
        lifecycle.write(nova, server, task_state=f"reboot_started{suffix}")
        lifecycle.write(nova, server, vm_state="active", task_state=None, power_state=1)
        events.action(nova, server, "reboot.end", "reboot.end")

    lifecycle.run(nova, server, "reboot", [("act", 0.2, 0.6, act)])
    return Reply(202)


def _lock(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    lifecycle.record(nova, server, "lock", request.caller)
    lifecycle.stamp(nova, server, request.caller)
    server.update(locked=True, locked_reason=arguments.get("locked_reason"))
    events.updated(nova, server, server["vm_state"], server["task_state"])
    events.action(nova, server, None, "lock", host="ctl", binary="api")
    return Reply(202)


def _unlock(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    lifecycle.record(nova, server, "unlock", request.caller)
    lifecycle.stamp(nova, server, request.caller)
    server.update(locked=False, locked_reason=None)
    events.updated(nova, server, server["vm_state"], server["task_state"])
    events.action(nova, server, None, "unlock", host="ctl", binary="api")
    return Reply(202)


def _reset_state(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    nova.need_admin(request, "os_compute_api:os-admin-actions:reset_state")
    state = arguments.get("state")
    if state not in ("active", "error"):
        raise ApiError(
            400, f"Invalid input for field/attribute state. Value: {state}. '{state}' is not one of ['active', 'error']"
        )
    lifecycle.stamp(nova, server, request.caller)
    server["fault"] = server["fault"] or {"code": 500, "created": "", "message": "reset"}
    lifecycle.write(nova, server, vm_state=state, task_state=None)
    return Reply(202)


def _groups(add: bool) -> Callable[["Nova", Request, Row, dict[str, Any]], Reply]:
    def act(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
        name = str(arguments.get("name"))
        table = nova.cloud.neutron.groups.table
        found = [one for one in table.where(project_id=server["project_id"]) if name in (one["id"], one["name"])]
        if not found:
            raise ApiError(404, f"Security group {name} could not be found.")
        group = found[0]["id"]
        caller = request.caller.onward(nova.cloud.chance.request_id())
        ports = nova.cloud.neutron.ports
        for port in nova.ports_of(server):
            kept = [one for one in port["security_groups"] if one != group]
            groups = [*kept, group] if add else kept
            ports.emit("update.start", {"port": {"security_groups": groups}, "id": port["id"]}, caller)
            ports.change(port, {"security_groups": groups}, caller.elevated())
            ports.touch(port)
            ports.emit("update.end", {"port": ports.view(port, caller)}, caller)
        return Reply(202)

    return act


def _create_image(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    check_state(server, "createImage", ("active", "stopped", "paused", "suspended"))
    image = nova.cloud.glance.add(
        str(arguments.get("name")),
        request.caller,
        visibility="private",
        image_type="snapshot",
        instance_uuid=server["id"],
    )
    nova.cloud.glance.emit("image.create", image)
    begin(nova, request, server, "createImage", "image_snapshot_pending")

    def act() -> None:
        lifecycle.write(nova, server, task_state="image_snapshot")
        more = {"snapshot_image_id": image["id"]}
        events.action(nova, server, "snapshot.start", "snapshot.start", kind="snapshot", more=more)
        lifecycle.write(nova, server, task_state="image_uploading")
        lifecycle.write(nova, server, task_state=None)
        nova.cloud.glance.upload(image, b"")
        events.action(nova, server, "snapshot.end", "snapshot.end", kind="snapshot", more=more)

    lifecycle.run(nova, server, "snapshot", [("act", 0.2, 0.6, act)])
    if request.microversion >= (2, 45):
        return Reply(202, {"image_id": image["id"]})
    return Reply(202, None, {"Location": f"{nova.cloud.base_url}/image/images/{image['id']}"})


def _shelve(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    lifecycle.check_unlocked(server, request.caller)
    check_state(server, "shelve", ("active", "stopped", "paused", "suspended"))
    begin(nova, request, server, "shelve", "shelving")

    def act() -> None:
        events.exists(nova, server)
        events.action(nova, server, "shelve.start", "shelve.start")
        lifecycle.write(nova, server, task_state="shelving_image_uploading")
        lifecycle.write(nova, server, vm_state="shelved", task_state="shelving_offloading", power_state=4)
        events.action(nova, server, "shelve.end", "shelve.end")
        events.action(nova, server, "shelve_offload.start", "shelve_offload.start")
        for port in nova.ports_of(server):
            body: dict[str, Any] = {"binding:host_id": None, "binding:profile": {}}
            networking.update_port(nova, port, body, server["initiator"])
        host = server["host"]
        lifecycle.write(nova, server, vm_state="shelved_offloaded", task_state=None)
        lifecycle.write(nova, server, host=None, node=None)
        events.action(nova, server, "shelve_offload.end", "shelve_offload.end", host=host)

    lifecycle.run(nova, server, "shelve", [("act", 0.3, 0.8, act)])
    return Reply(202)


def _unshelve(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    lifecycle.check_unlocked(server, request.caller)
    check_state(server, "unshelve", ("shelved", "shelved_offloaded"))
    begin(nova, request, server, "unshelve", "unshelving")

    def act() -> None:
        events.selected(nova, server)
        place = scheduler.place(nova, server)
        if place is None:
            lifecycle.write(nova, server, task_state=None)
            return
        events.action(nova, server, "unshelve.start", "unshelve.start", host=place[0])
        lifecycle.write(nova, server, task_state="spawning")
        lifecycle.write(nova, server, host=place[0], node=place[1])
        networking.follow(nova, server)
        lifecycle.write(nova, server, vm_state="active", task_state=None, power_state=1)
        events.action(nova, server, "unshelve.end", "unshelve.end")

    lifecycle.run(nova, server, "unshelve", [("act", 0.3, 0.8, act)])
    return Reply(202)


def _force_delete(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    lifecycle.check_unlocked(server, request.caller)
    lifecycle.delete(nova, server, request.caller)
    return Reply(202)


def _console(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    check_state(server, "os-getConsoleOutput", ("active",), any_task=True)
    return Reply(200, {"output": "FAKE CONSOLE OUTPUT\nANOTHER\nLAST LINE"})


HANDLERS: dict[str, Callable[["Nova", Request, Row, dict[str, Any]], Reply]] = {
    "reboot": _reboot,
    "lock": _lock,
    "unlock": _unlock,
    "os-resetState": _reset_state,
    "addSecurityGroup": _groups(True),
    "removeSecurityGroup": _groups(False),
    "createImage": _create_image,
    "shelve": _shelve,
    "unshelve": _unshelve,
    "forceDelete": _force_delete,
    "os-getConsoleOutput": _console,
    "os-migrateLive": moves.live_migrate,
    "migrate": moves.migrate,
    "evacuate": moves.evacuate,
    "rebuild": moves.rebuild,
    "resize": moves.resize,
    "confirmResize": moves.confirm_resize,
    "revertResize": moves.revert_resize,
}
