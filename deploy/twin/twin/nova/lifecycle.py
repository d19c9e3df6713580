"""From BUILD to ACTIVE and to deleted: the states, their delays and the notifications on the way."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.clock import micros, whole, zulu
from twin.core.errors import ApiError
from twin.core.table import Row
from twin.nova import events, networking, scheduler

if TYPE_CHECKING:
    from twin.nova.service import Nova

Step = tuple[str, float, float, Callable[[], None]]
MAX_HISTORY = 20


def record(nova: "Nova", server: Row, name: str, caller: Caller) -> None:
    """An entry of `os-instance-actions`; the latest are kept."""
    entry = {
        "action": name,
        "instance_uuid": server["id"],
        "request_id": caller.request_id,
        "user_id": caller.user_id,
        "project_id": caller.project_id,
        "start_time": micros(whole(nova.cloud.clock.now())),
        "message": None,
        "updated_at": micros(whole(nova.cloud.clock.now())),
    }
    server["history"] = [*server["history"], entry][-MAX_HISTORY:]


def check_unlocked(server: Row, caller: Caller) -> None:
    """ApiError 409 on a locked server, administrators aside."""
    if server["locked"] and not caller.is_admin:
        raise ApiError(409, f"Instance {server['id']} is locked")


def stamp(nova: "Nova", server: Row, caller: Caller | None = None) -> None:
    """A change now, by the caller."""
    server["updated"] = whole(nova.cloud.clock.now())
    if caller is not None:
        server["initiator"] = caller


def write(nova: "Nova", server: Row, *, writer: str = "compute", **values: Any) -> None:
    """Writes states and tells of it, as Nova does at every save of a state; `writer` is the service that saves."""
    old_state, old_task = server["vm_state"], server["task_state"]
    stamp(nova, server)
    nova.servers.change(server, **values)
    events.updated(nova, server, old_state, old_task, writer)


def run(nova: "Nova", server: Row, operation: str, steps: list[Step]) -> None:
    """Runs steps one after another, each after its seeded delay; a newer operation, or the end, stops them."""
    server["run"] += 1
    turn = server["run"]

    def go(index: int) -> None:
        if index == len(steps):
            return
        name, low, high, action = steps[index]

        def act() -> None:
            if server["id"] not in nova.servers or server["run"] != turn:
                return
            action()
            go(index + 1)

        nova.cloud.later(server["id"], f"{operation}:{turn}:{name}", low, high, act)

    go(0)


def fail(nova: "Nova", server: Row, message: str) -> None:
    """ERROR with a fault; further steps of the operation are off. A server that never ran leaves its host."""
    server["run"] += 1
    server["fault"] = {
        "code": 500,
        "created": zulu(nova.cloud.clock.now()),
        "message": message,
        "details": f"Traceback (most recent call last):\n{message}",
    }
    values: dict[str, Any] = {} if server["launched"] else {"host": None, "node": None}
    write(nova, server, vm_state="error", task_state=None, **values)


def boot(nova: "Nova", server: Row) -> None:
    """Schedules, builds, plugs and spawns."""

    def schedule() -> None:
        events.selected(nova, server)
        place = scheduler.place(nova, server)
        if place is None:
            fail(nova, server, _unplaced(nova, server))
            return
        server["_place"] = place
        nova.servers.change(server, claimed=place[0])
        write(nova, server, writer="conductor")

    def build() -> None:
        host, node = server["_place"]
        write(nova, server, task_state=None)
        events.action(
            nova, server, "create.start", "create.start", host=host, kind="create", plain_more=image_name(nova, server)
        )
        write(nova, server, host=host, node=node)
        write(nova, server, task_state="networking")

    def plug() -> None:
        write(nova, server, task_state="block_device_mapping")
        write(nova, server, task_state="spawning")
        try:
            for wanted in server["wanted"]:
                networking.plug(nova, server, wanted)
        except ApiError as error:
            fail(nova, server, f"Build of instance {server['id']} aborted: {error.message}")

    def spawn() -> None:
        for port_id in server["ports"]:
            nova.cloud.neutron.ports.plugged(port_id)
        if server["host"] == "bm":
            nova.cloud.ironic.deploy(server["node"], server)
        server["launched"] = nova.cloud.clock.now()
        write(nova, server, vm_state="active", task_state=None, power_state=1)
        events.action(
            nova, server, "create.end", "create.end", kind="create", plain_more={"message": "Success"}, addresses=True
        )
        server["launched"] = whole(server["launched"])

    run(
        nova,
        server,
        "boot",
        [
            ("schedule", 0.05, 0.2, schedule),
            ("build", 0.05, 0.2, build),
            ("plug", 0.1, 0.3, plug),
            ("spawn", 0.2, 0.8, spawn),
        ],
    )


def _unplaced(nova: "Nova", server: Row) -> str:
    """Hosts without virtual functions are tried one after the other, each failing its claim."""
    if scheduler.wanted_functions(nova, server):
        return (
            "Exceeded maximum number of retries. Exceeded max scheduling attempts 3 for instance "
            f"{server['id']}. Last exception: Insufficient compute resources: Claim pci failed."
        )
    return "No valid host was found. There are not enough hosts available."


def image_name(nova: "Nova", server: Row) -> dict[str, Any]:
    """The image's name, as create and rebuild tell it."""
    image = nova.cloud.glance.images.get(server["image_id"]) if server["image_id"] else None
    return {"image_name": image["name"] if image else ""}


def delete(nova: "Nova", server: Row, caller: Caller) -> None:
    """Deletes: at once when it never had a host, else after the host's work."""
    if server["task_state"] == "deleting":
        return
    record(nova, server, "delete", caller)
    stamp(nova, server, caller)
    old_task = server["task_state"]
    server["task_state"] = "deleting"
    write_task = server["vm_state"], "deleting"
    events.updated(nova, server, *write_task)
    del old_task
    if server["host"] is None:
        events.action(nova, server, "delete.start", "delete.start", host="ctl")
        _release_ports(nova, server)
        _gone(nova, server)
        return

    def shut() -> None:
        events.action(nova, server, "delete.start", "delete.start")
        events.action(nova, server, "shutdown.start", "shutdown.start")
        if server["host"] == "bm":
            nova.cloud.ironic.undeploy(server["node"], server)
        _release_ports(nova, server)
        nova.cloud.cinder.detach_all(server)
        events.action(nova, server, "shutdown.end", "shutdown.end")

    run(nova, server, "delete", [("shut", 0.05, 0.3, shut), ("gone", 0.05, 0.4, lambda: _gone(nova, server))])


def _release_ports(nova: "Nova", server: Row) -> None:
    for port_id in list(server["ports"]):
        networking.release(nova, server, port_id, server["initiator"])


def _gone(nova: "Nova", server: Row) -> None:
    now = nova.cloud.clock.now()
    server["terminated"], server["deleted"] = now, whole(now)
    server["power_state"] = 0
    write(nova, server, vm_state="deleted", task_state=None)
    events.action(nova, server, "delete.end", "delete.end")
    group = nova.server_groups.get(server["group_id"]) if server["group_id"] else None
    if group is not None:
        group["members"] = [one for one in group["members"] if one != server["id"]]
    nova.servers.remove(server["id"])
