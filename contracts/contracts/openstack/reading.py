"""Which model a payload has, and the wrapping of versioned objects taken off."""

from collections.abc import Mapping
from typing import Any

from contracts.openstack import cinder, glance, ironic, keystone, manila, neutron, nova
from contracts.openstack.payload import Payload, Unmodelled, read_as

_MODELS: dict[str, type[Payload]] = {
    "compute.instance": nova.UnversionedServer,
    "instance": nova.VersionedServer,
    "keypair": nova.Keypair,
    "service": nova.ComputeService,
    "aggregate": nova.Aggregate,
    "server_group": nova.ServerGroup,
    "servergroup": nova.ServerGroup,
    "flavor": nova.Flavor,
    "volume.usage": nova.VolumeUsage,
    "scheduler.select_destinations": nova.Scheduling,
    "compute_task": nova.ComputeTask,
    "volume": cinder.Volume,
    "snapshot": cinder.Snapshot,
    "backup": cinder.Backup,
    "group": cinder.Group,
    "consistencygroup": cinder.Group,
    "group_snapshot": cinder.Group,
    "cgsnapshot": cinder.Group,
    "capacity": cinder.Capacity,
    "share": manila.Share,
    "image": glance.Image,
    "image.send": glance.ImageSent,
    "image.member": glance.ImageMember,
    "tag": neutron.Tagging,
    "baremetal.node": ironic.Node,
    "baremetal": ironic.NodePart,
}
_NEUTRON = (*neutron.RESOURCES, "router", "subnetpool", "address_scope", "qos", "policy", "segment", "binding")
_NEUTRON_KINDS = frozenset({*_NEUTRON, "firewall_group", "firewall_policy", "firewall_rule", "vpnservice", "log"})
_WRAPPER = "_object.data"


def wrapper_of(payload: Mapping[str, Any]) -> str | None:
    """The key under which a versioned object keeps its data (`nova_object.data`); None for a plain payload."""
    return next((key for key in payload if isinstance(key, str) and key.endswith(_WRAPPER)), None)


def unwrap(value: Any, wrapper: str) -> Any:
    """`value` with each `{"nova_object.name": …, "nova_object.data": {…}}` replaced by its data, at any depth."""
    kind = type(value)
    if kind is dict:
        inner = value.get(wrapper, value)
        if type(inner) is not dict:
            return inner
        return {
            key: unwrap(item, wrapper) if type(item) is dict or type(item) is list else item
            for key, item in inner.items()
        }
    return [unwrap(item, wrapper) for item in value] if kind is list else value


def _model_of(event_type: str, data: Mapping[str, Any]) -> type[Payload] | None:
    if event_type.startswith("identity."):
        return keystone.identity_model(data)
    if event_type.startswith("audit.http."):
        return keystone.Cadf
    words = event_type.split(".")
    for length in (2, 1):
        if model := _MODELS.get(".".join(words[:length])):
            return model
    return None


def read_payload(event_type: str, data: Any) -> tuple[Payload, bool]:
    """The typed payload of an event, and whether it came as a versioned object. Never fails: see `Unmodelled`."""
    if not isinstance(data, dict):
        return Unmodelled(data={"value": data}), False
    wrapper = wrapper_of(data)
    versioned = wrapper is not None
    plain = data if wrapper is None else unwrap(data, wrapper)
    if not isinstance(plain, dict):
        return Unmodelled(data={"value": plain}), versioned
    if neutron.kind_of(event_type) in _NEUTRON_KINDS and not versioned:
        return neutron.read_network_payload(event_type, plain), False
    model = _model_of(event_type, plain)
    return (Unmodelled(data=plain) if model is None else read_as(model, plain)), versioned
