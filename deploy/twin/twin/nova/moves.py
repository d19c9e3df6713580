"""What moves or remakes a server: live migration, cold migration and resize, evacuation, rebuild."""

from typing import TYPE_CHECKING, Any

from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.neutron.binding import VIF_DETAILS
from twin.nova import events, lifecycle, networking, payloads, scheduler
from twin.nova.flavors import flavor as find_flavor

if TYPE_CHECKING:
    from twin.nova.service import Nova


def routes(nova: "Nova") -> None:
    """Everything here is reached through the action path."""


def _target(nova: "Nova", server: Row, asked: Any) -> tuple[str, str] | None:
    if asked:
        host = nova.hosts.where(host=str(asked))
        if not host or host[0]["kind"] != "hypervisor":
            raise ApiError(404, f"Compute host {asked} could not be found.")
        if asked == server["host"]:
            raise ApiError(400, "The target host can't be the same one.")
        return (str(asked), str(asked)) if not host[0]["forced_down"] else None
    return scheduler.place(nova, {**server, "forced_host": None}, frozenset((server["host"],)))


def _begin(nova: "Nova", request: Request, server: Row, name: str, allowed: tuple[str, ...], task: str) -> None:
    from twin.nova.actions import begin, check_state

    lifecycle.check_unlocked(server, request.caller)
    check_state(server, name, allowed)
    begin(nova, request, server, name, task)


def live_migrate(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    """`os-migrateLive`."""
    nova.need_admin(request, "os_compute_api:os-migrate-server:migrate_live")
    _target(nova, server, arguments.get("host"))
    _begin(nova, request, server, "os-migrateLive", ("active", "paused"), "migrating")

    def move() -> None:
        events.selected(nova, server)
        place = _target(nova, server, arguments.get("host"))
        if place is None:
            lifecycle.write(nova, server, task_state=None)
            return
        source, target = server["host"], place[0]
        inner = nova.service_caller("neutron", server["initiator"])
        neutron = nova.cloud.neutron
        for _ in server["ports"]:
            wanted = {"host": target, "vnic_type": "normal", "profile": {}}
            neutron.emit("binding.create.start", {"binding": wanted}, inner)
            details = {name: value for name, value in VIF_DETAILS.items() if name != "bound_drivers"}
            made = {**wanted, "vif_type": "ovs", "status": "INACTIVE", "vif_details": details}
            neutron.emit("binding.create.end", {"binding": made}, inner)
        _both(nova, server, "live_migration.pre.start", "live_migration_pre.start", target)
        for port in nova.ports_of(server):
            body = {"binding:profile": {"migrating_to": target}}
            networking.update_port(nova, port, body, server["initiator"])
        _both(nova, server, "live_migration.pre.end", "live_migration_pre.end", target)
        _both(nova, server, "live_migration._post.start", "live_migration_post.start", source)
        _both(nova, server, "live_migration.post.dest.start", "live_migration_post_dest.start", target)
        lifecycle.write(nova, server, host=target, node=target, task_state=None)
        for port in nova.ports_of(server):
            gone = {
                "host": source,
                "vif_type": "unbound",
                "vnic_type": "normal",
                "status": "INACTIVE",
                "vif_details": {},
            }
            neutron.emit("binding.delete.start", {"binding_id": source}, inner)
            neutron.ports.change(port, {"binding:host_id": target, "binding:profile": {}}, inner)
            neutron.ports.plugged(port["id"])
            neutron.emit("binding.delete.end", {"binding_id": source, "binding": gone}, inner)
        _both(nova, server, "live_migration.post.dest.end", "live_migration_post_dest.end", target)
        _both(nova, server, "live_migration._post.end", "live_migration_post.end", source)

    lifecycle.run(nova, server, "live", [("move", 0.5, 1.5, move)])
    return Reply(202)


def _both(nova: "Nova", server: Row, plain: str, versioned: str | None, host: str) -> None:
    events.action(nova, server, plain, versioned, host=host, addresses=True)


def evacuate(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    """From a host that is down; the server comes up stopped at microversion 2.95 and later."""
    nova.need_admin(request, "os_compute_api:os-evacuate")
    host = nova.hosts.where(host=server["host"]) if server["host"] else []
    if arguments.get("host") and arguments["host"] == server["host"]:
        raise ApiError(400, "The target host can't be the same one.")
    if server["host"] is None:
        raise ApiError(400, "The target host can't be the same one.")
    if not host or not host[0]["forced_down"]:
        raise ApiError(400, f"Compute service of {server['host']} is still in use.")
    _begin(nova, request, server, "evacuate", ("active", "stopped", "error"), "rebuilding")
    events.action(nova, server, "evacuate", None, host="ctl")
    events.action(nova, server, None, "evacuate", host="ctl", binary="api")
    stopped = request.microversion >= (2, 95) or server["vm_state"] == "stopped"

    def move() -> None:
        events.selected(nova, server)
        place = _target(nova, server, arguments.get("host"))
        if place is None:
            lifecycle.fail(nova, server, "No valid host was found. There are not enough hosts available.")
            return
        events.action(nova, server, "rebuild.scheduled", None, host="ctl")
        events.action(nova, server, None, "rebuild_scheduled", host=place[0], kind="rebuild", binary="conductor")
        events.exists(nova, server, place[0])
        name = lifecycle.image_name(nova, server)
        events.action(nova, server, "rebuild.start", "rebuild.start", host=place[0], kind="rebuild", plain_more=name)
        state = server["vm_state"] if server["vm_state"] != "error" else "active"
        lifecycle.write(nova, server, task_state="rebuild_block_device_mapping")
        lifecycle.write(nova, server, task_state="rebuild_spawning")
        lifecycle.write(nova, server, host=place[0], node=place[1], vm_state=state, task_state=None)
        networking.follow(nova, server)
        if stopped and state == "active":
            lifecycle.write(nova, server, task_state="powering-off")
            events.action(nova, server, "power_off.start", "power_off.start")
            lifecycle.write(nova, server, vm_state="stopped", task_state=None, power_state=4)
            events.action(nova, server, "power_off.end", "power_off.end")
        events.action(nova, server, "rebuild.end", "rebuild.end", kind="rebuild", addresses=True, plain_more=name)

    lifecycle.run(nova, server, "evacuate", [("move", 0.5, 1.5, move)])
    return Reply(200, {"adminPass": nova.cloud.chance.word("password", 12)} if request.microversion < (2, 14) else None)


def rebuild(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    """With an image, in place."""
    from twin.nova.views import server_view

    image_id = str(arguments.get("imageRef") or "")
    image = nova.cloud.glance.images.get(image_id)
    if image is None or not nova.cloud.glance.visible(image, request.caller):
        raise ApiError(400, "Cannot find image for rebuild")
    _begin(nova, request, server, "rebuild", ("active", "stopped", "error"), "rebuilding")
    state = "stopped" if server["vm_state"] == "stopped" else "active"
    if "name" in arguments:
        server["name"] = str(arguments["name"])
    if "metadata" in arguments:
        server["metadata"] = dict(arguments["metadata"])
    if "user_data" in arguments:
        server["user_data"] = arguments["user_data"]
    if "key_name" in arguments:
        server["key_name"] = arguments["key_name"]
    server["image_id"] = image_id

    def remake() -> None:
        events.action(nova, server, "rebuild.scheduled", None, host="ctl")
        events.action(nova, server, None, "rebuild_scheduled", kind="rebuild", binary="conductor")
        events.exists(nova, server)
        name = lifecycle.image_name(nova, server)
        events.action(nova, server, "rebuild.start", "rebuild.start", kind="rebuild", plain_more=name)
        lifecycle.write(nova, server, task_state="rebuild_block_device_mapping")
        lifecycle.write(nova, server, task_state="rebuild_spawning")
        lifecycle.write(nova, server, vm_state=state, task_state=None, power_state=1 if state == "active" else 4)
        events.action(nova, server, "rebuild.end", "rebuild.end", kind="rebuild", addresses=True, plain_more=name)

    lifecycle.run(nova, server, "rebuild", [("remake", 0.4, 1.0, remake)])
    view = server_view(nova, server, request)
    view["adminPass"] = nova.cloud.chance.word("password", 12)
    return Reply(202, {"server": view})


def resize(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    """To another flavor, on another host."""
    try:
        wanted = find_flavor(nova, str(arguments.get("flavorRef")))
    except ApiError:
        raise ApiError(400, f"Flavor {arguments.get('flavorRef')} could not be found.") from None
    if wanted["id"] == server["flavor"]["id"]:
        raise ApiError(400, "When resizing, instances must change flavor!")
    nova.quotas.check_growth(server["project_id"], server["flavor"], wanted)
    return _to_other_host(nova, request, server, "resize", wanted)


def migrate(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    """The same flavor, on another host."""
    nova.need_admin(request, "os_compute_api:os-migrate-server:migrate")
    return _to_other_host(nova, request, server, "migrate", server["flavor"])


def _to_other_host(nova: "Nova", request: Request, server: Row, name: str, wanted: Row) -> Reply:
    _begin(nova, request, server, name, ("active", "stopped"), "resize_prep")
    server["_before"] = {name: server[name] for name in ("flavor", "host", "node", "vm_state", "power_state")}

    def move() -> None:
        events.selected(nova, server)
        place = scheduler.place(nova, {**server, "flavor": wanted, "forced_host": None}, frozenset((server["host"],)))
        if place is None:
            lifecycle.write(nova, server, task_state=None)
            return
        source, target = server["host"], place[0]
        events.exists(nova, server, target)
        more = {"new_flavor": payloads.flavor_payload(wanted)}
        plain = {"new_instance_type": wanted["name"], "new_instance_type_id": wanted["number"]}
        events.action(
            nova, server, "resize.prep.start", "resize_prep.start", host=target, kind="resize_prep", more=more
        )
        events.action(
            nova,
            server,
            "resize.prep.end",
            "resize_prep.end",
            host=target,
            kind="resize_prep",
            more=more,
            plain_more=plain,
        )
        lifecycle.write(nova, server, task_state="resize_migrating")
        events.action(nova, server, "resize.start", "resize.start", host=source, addresses=True)
        lifecycle.write(nova, server, task_state="resize_migrated", host=target, node=place[1])
        events.action(nova, server, "resize.end", "resize.end", host=source, addresses=True)
        networking.follow(nova, server)
        nova.servers.change(server, flavor=wanted)
        lifecycle.write(nova, server, task_state="resize_finish")
        _both(nova, server, "finish_resize.start", "resize_finish.start", target)
        lifecycle.write(nova, server, vm_state="resized", task_state=None)
        _both(nova, server, "finish_resize.end", "resize_finish.end", target)

    lifecycle.run(nova, server, name, [("move", 0.5, 1.2, move)])
    return Reply(202)


def confirm_resize(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    """Lets the old place go."""
    from twin.nova.actions import check_state

    check_state(server, "confirmResize", ("resized",))
    lifecycle.record(nova, server, "confirmResize", request.caller)
    lifecycle.stamp(nova, server, request.caller)
    before = server["_before"]

    def confirm() -> None:
        events.action(nova, server, "resize.confirm.start", "resize_confirm.start", host=before["host"])
        state = "stopped" if before["vm_state"] == "stopped" else "active"
        lifecycle.write(nova, server, vm_state=state, task_state=None)
        _both(nova, server, "resize.confirm.end", "resize_confirm.end", before["host"])

    lifecycle.run(nova, server, "confirm", [("confirm", 0.1, 0.4, confirm)])
    return Reply(204)


def revert_resize(nova: "Nova", request: Request, server: Row, arguments: dict[str, Any]) -> Reply:
    """Back to the old place and flavor."""
    from twin.nova.actions import begin, check_state

    check_state(server, "revertResize", ("resized",))
    begin(nova, request, server, "revertResize", "resize_reverting")
    before = server["_before"]

    def revert() -> None:
        _both(nova, server, "resize.revert.start", "resize_revert.start", before["host"])
        nova.servers.change(server, flavor=before["flavor"])
        lifecycle.write(
            nova, server, host=before["host"], node=before["node"], vm_state=before["vm_state"], task_state=None
        )
        networking.follow(nova, server)
        _both(nova, server, "resize.revert.end", "resize_revert.end", before["host"])

    lifecycle.run(nova, server, "revert", [("revert", 0.3, 0.8, revert)])
    return Reply(202)
