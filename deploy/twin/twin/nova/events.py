"""Emitting Nova's notifications: each of them in both formats, as with `notification_format = both`."""

from typing import TYPE_CHECKING, Any

from twin.core.caller import Caller
from twin.core.clock import micros
from twin.core.table import Row
from twin.nova import payloads

if TYPE_CHECKING:
    from twin.nova.service import Nova


def _context(nova: "Nova", caller: Caller) -> dict[str, object]:
    return {
        "user_id": caller.user_id,
        "read_deleted": "no",
        "remote_address": None,
        "timestamp": micros(nova.cloud.clock.now()),
        "quota_class": None,
        "user_name": caller.user_name,
        "service_catalog": [],
        "project_name": caller.project_name,
    }


def plain(nova: "Nova", publisher: str, event_type: str, payload: Any, caller: Caller, priority: str = "info") -> None:
    """The unversioned format."""
    extra = _context(nova, caller)
    nova.cloud.notify("nova", "nova", publisher, event_type, payload, caller, priority=priority, extra=extra)


def versioned(
    nova: "Nova", publisher: str, event_type: str, payload: Any, caller: Caller, priority: str = "info"
) -> None:
    """The versioned format, on its own topic."""
    nova.cloud.notify(
        "nova",
        "nova",
        publisher,
        event_type,
        payload,
        caller,
        topic="versioned_notifications",
        priority=priority,
        extra=_context(nova, caller),
    )


def updated(nova: "Nova", server: Row, old_state: str, old_task: str | None, binary: str = "compute") -> None:
    """`compute.instance.update` and `instance.update`: a state was written."""
    caller = server["initiator"]
    now = nova.cloud.clock.now()
    begin = now.replace(minute=0, second=0, microsecond=0)
    payload = {
        **payloads.unversioned(nova, server),
        "old_state": old_state,
        "old_task_state": old_task,
        "new_task_state": server["task_state"],
        "audit_period_beginning": micros(begin),
        "audit_period_ending": micros(now),
    }
    plain(nova, f"{binary}.ctl", "compute.instance.update", payload, caller)
    more = {
        "state_update": payloads.state_update(old_state, server["vm_state"], old_task, server["task_state"]),
        "audit_period": payloads.audit_period(now),
        "old_display_name": None,
        "tags": list(server["tags"]),
    }
    versioned(nova, f"nova-{binary}:ctl", "instance.update", payloads.versioned(nova, server, "update", more), caller)


def action(
    nova: "Nova",
    server: Row,
    plain_name: str | None,
    versioned_name: str | None,
    *,
    host: str | None = None,
    kind: str = "action",
    more: dict[str, Any] | None = None,
    plain_more: dict[str, Any] | None = None,
    addresses: bool = False,
    binary: str = "compute",
) -> None:
    """`compute.instance.<plain_name>` and `instance.<versioned_name>`; None leaves that format out."""
    caller = server["initiator"]
    place = host or server["host"] or "ctl"
    if plain_name is not None:
        payload = {**payloads.unversioned(nova, server, addresses=addresses), **(plain_more or {})}
        plain(nova, f"compute.{place}", f"compute.instance.{plain_name}", payload, caller)
    if versioned_name is not None:
        document = payloads.versioned(nova, server, kind, more)
        versioned(nova, f"nova-{binary}:{place}", f"instance.{versioned_name}", document, caller)


def exists(nova: "Nova", server: Row, host: str | None = None) -> None:
    """`compute.instance.exists` and `instance.exists`: the usage so far, told before the server changes shape."""
    now = nova.cloud.clock.now()
    begin = now.replace(minute=0, second=0, microsecond=0)
    period = {"audit_period_beginning": str(begin)[:19], "audit_period_ending": str(now)[:26]}
    more = {"audit_period": payloads.audit_period(now)}
    action(nova, server, "exists", "exists", host=host, kind="exists", more=more, plain_more=period)


def _image(image: Row | None) -> dict[str, Any]:
    if image is None:
        return {}
    names = (
        "id",
        "name",
        "status",
        "checksum",
        "owner",
        "size",
        "container_format",
        "disk_format",
        "min_ram",
        "min_disk",
    )
    return {
        **{name: image[name] for name in names},
        "created_at": image["created_at"],
        "updated_at": image["updated_at"],
    }


def _image_payload(image: Row | None) -> dict[str, Any] | None:
    if image is None:
        return None
    unset = ("visibility", "protected", "virtual_size", "tags", "direct_url")
    properties = payloads.wrap("ImageMetaPropsPayload", "1.20", {})
    data = {**_image(image), **dict.fromkeys(unset), "properties": properties}
    return payloads.wrap("ImageMetaPayload", "1.0", data)


def selected(nova: "Nova", server: Row) -> None:
    """`scheduler.select_destinations.start` and `.end`."""
    caller = server["initiator"]
    image = nova.cloud.glance.images.get(server["image_id"]) if server["image_id"] else None
    spec = {
        "request_spec": {
            "num_instances": 1,
            "image": {**_image(image), "properties": {}},
            "instance_properties": {
                "project_id": server["project_id"],
                "user_id": server["user_id"],
                "availability_zone": None,
                "uuid": server["id"],
                "root_gb": server["flavor"]["disk"],
                "ephemeral_gb": server["flavor"]["ephemeral"],
                "memory_mb": server["flavor"]["ram"],
                "vcpus": server["flavor"]["vcpus"],
            },
            "instance_type": payloads.flavor_payload(server["flavor"])["nova_object.data"],
        }
    }
    data = {
        "instance_uuid": server["id"],
        "project_id": server["project_id"],
        "user_id": server["user_id"],
        "availability_zone": None,
        "flavor": payloads.flavor_payload(server["flavor"]),
        "force_hosts": None,
        "force_nodes": None,
        "ignore_hosts": None,
        "instance_group": None,
        "image": _image_payload(image),
        "numa_topology": None,
        "pci_requests": payloads.wrap(
            "InstancePCIRequestsPayload", "1.0", {"instance_uuid": server["id"], "requests": []}
        ),
        "num_instances": 1,
        "requested_destination": None,
        "retry": None,
        "scheduler_hints": {},
        "security_groups": [],
    }
    for phase in ("start", "end"):
        plain(nova, "scheduler.ctl", f"scheduler.select_destinations.{phase}", spec, caller)
        document = payloads.wrap("RequestSpecPayload", "1.1", data)
        versioned(nova, "nova-scheduler:ctl", f"scheduler.select_destinations.{phase}", document, caller)
