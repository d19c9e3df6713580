"""Provision and power states, with their delays and notifications."""

from typing import TYPE_CHECKING, NamedTuple

from twin.core.caller import Caller
from twin.core.clock import micros, whole
from twin.core.errors import ApiError
from twin.core.http import Reply, Request
from twin.core.table import Row
from twin.ironic import events
from twin.ironic.nodes import text

if TYPE_CHECKING:
    from twin.ironic.service import Ironic


class Verb(NamedTuple):
    """A provision verb: from where, its event, the state on the way, the target."""

    allowed: tuple[str, ...]
    event: str
    doing: str
    target: str


VERBS = {
    "manage": Verb(
        ("enroll", "available", "adopt failed", "clean failed", "inspect failed"), "manage", "verifying", "manageable"
    ),
    "inspect": Verb(("manageable",), "inspect", "inspecting", "manageable"),
    "provide": Verb(("manageable",), "provide", "cleaning", "available"),
    "clean": Verb(("manageable",), "clean", "cleaning", "manageable"),
    "active": Verb(("available", "manageable"), "deploy", "deploying", "active"),
    "rebuild": Verb(("active", "error", "deploy failed"), "rebuild", "deploying", "active"),
    "deleted": Verb(
        ("active", "error", "deploy failed", "wait call-back", "deploying"), "delete", "deleting", "available"
    ),
    "rescue": Verb(("active",), "rescue", "rescuing", "rescue"),
    "unrescue": Verb(("rescue",), "unrescue", "unrescuing", "active"),
}
POWER = {
    "power on": "power on",
    "power off": "power off",
    "rebooting": "power on",
    "soft rebooting": "power on",
    "soft power off": "power off",
}


def routes(ironic: "Ironic") -> None:
    """Registers this room's paths."""
    base = "/v1/nodes/{id}/states"
    ironic.router.add("GET", base, lambda request: _show(ironic, request))
    ironic.router.add("PUT", base + "/provision", lambda request: _provision(ironic, request))
    ironic.router.add("PUT", base + "/power", lambda request: _power(ironic, request))


def _show(ironic: "Ironic", request: Request) -> Reply:
    row = ironic.node(request)
    names = ("console_enabled", "last_error", "power_state", "provision_state", "target_power_state")
    more = ("target_provision_state", "raid_config", "target_raid_config", "boot_mode", "secure_boot")
    view = {name: row[name] for name in (*names, *more)}
    view["provision_updated_at"] = text(row["provision_updated"])
    return Reply(200, view)


def _provision(ironic: "Ironic", request: Request) -> Reply:
    row = ironic.node(request)
    target = str(request.json().get("target"))
    if row["reservation"]:
        raise ApiError(
            409, f"Node {row['id']} is locked by host ctl, please retry after the current operation is completed."
        )
    verb = VERBS.get(target)
    if verb is None or row["provision_state"] not in verb.allowed:
        raise ApiError(
            400,
            f'The requested action "{target}" can not be performed on node "{row["id"]}" while it is in state '
            f'"{row["provision_state"]}".',
        )
    if row["maintenance"] and target in ("active", "rebuild", "provide"):
        raise ApiError(
            400, f"The {target} operation can't be performed on node {row['id']} because it's in maintenance mode."
        )
    transit(ironic, row, target, request.caller)
    return Reply(202, None, {"Location": request.link(f"/v1/nodes/{row['id']}/states")})


def _write(ironic: "Ironic", row: Row, state: str, target: str | None) -> None:
    now = whole(ironic.cloud.clock.now())
    row.update(provision_state=state, target_provision_state=target, provision_updated=now, updated=now)


def _tell(ironic: "Ironic", row: Row, phase: str, event: str, before: tuple[str, str | None], caller: Caller) -> None:
    events.node(
        ironic,
        row,
        f"provision_set.{phase}",
        "NodeSetProvisionStatePayload",
        caller,
        "conductor",
        event=event,
        previous_provision_state=before[0],
        previous_target_provision_state=before[1],
    )


def transit(ironic: "Ironic", row: Row, target: str, caller: Caller, *, at_once: bool = False) -> None:
    """Sets off a verb; undeploying cleans the node before it is available again (I17)."""
    verb = VERBS[target]
    if target == "manage" and row["provision_state"] == "available":
        before = row["provision_state"], row["target_provision_state"]
        _write(ironic, row, "manageable", None)
        _tell(ironic, row, "end", "manage", before, caller)
        return
    before = row["provision_state"], row["target_provision_state"]
    _write(ironic, row, verb.doing, verb.target)
    row["last_error"] = None
    _tell(ironic, row, "start", verb.event, before, caller)

    def finish() -> None:
        if row["id"] not in ironic.nodes:
            return
        was = row["provision_state"], row["target_provision_state"]
        if target in ("active", "rebuild"):
            row["power_state"] = "power on"
        if target == "inspect":
            row["inspection_finished"] = whole(ironic.cloud.clock.now())
        _write(ironic, row, verb.target, None)
        if target != "inspect":
            _tell(ironic, row, "end", "done", was, caller)

    def clean() -> None:
        if row["id"] not in ironic.nodes:
            return
        was = row["provision_state"], row["target_provision_state"]
        row.update(instance_info={})
        ironic.nodes.change(row, instance_uuid=None)
        _write(ironic, row, "cleaning", "available")
        _tell(ironic, row, "success", "clean", was, caller)
        ironic.cloud.later(row["id"], f"cleaned:{row['updated']}", 0.2, 0.6, finish)

    if at_once:
        finish()
    elif target == "deleted":
        ironic.cloud.later(row["id"], f"clean:{row['updated']}", 0.2, 0.6, clean)
    else:
        ironic.cloud.later(row["id"], f"{target}:{row['updated']}", 0.2, 0.8, finish)


def _power(ironic: "Ironic", request: Request) -> Reply:
    row = ironic.node(request)
    target = str(request.json().get("target"))
    if target not in POWER:
        raise ApiError(400, f"Invalid state {target} requested for node.")
    state = POWER[target]
    caller = request.caller
    row["target_power_state"] = state
    events.node(ironic, row, "power_set.start", "NodeSetPowerStatePayload", caller, "conductor", to_power=target)

    def done() -> None:
        if row["id"] in ironic.nodes:
            row.update(power_state=state, target_power_state=None, updated=whole(ironic.cloud.clock.now()))
            row["driver_internal_info"] = {"last_power_state_change": micros(ironic.cloud.clock.now())}
            events.node(ironic, row, "power_set.end", "NodeSetPowerStatePayload", caller, "conductor", to_power=target)

    ironic.cloud.later(row["id"], f"power:{target}", 0.1, 0.4, done)
    return Reply(202, None, {"Location": request.link(f"/v1/nodes/{row['id']}/states")})
