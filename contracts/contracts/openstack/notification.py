"""A notification, decoded: which service said what, when, on whose request.

OpenStack's notifications are hints: they may be lost, doubled or late; what is so is asked from the API.
"""

from dataclasses import dataclass
from datetime import datetime

from contracts.openstack.payload import Payload

PHASES = frozenset({"start", "end", "error", "success", "progress", "fail", "failed"})


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification of one OpenStack service; None is what it did not say."""

    event_type: str
    """As OpenStack writes it: `compute.instance.create.end`, `port.update.end`, `identity.user.created`."""
    priority: str
    """`INFO`, `ERROR`, …, in capitals."""
    publisher_id: str
    """`<service>.<host>` or `<service>:<host>`; the host need not be a compute host."""
    message_id: str
    """The same on each topic on which it is published; unique with the publisher."""
    timestamp: datetime | None
    request_id: str | None
    global_request_id: str | None
    """The caller's `X-OpenStack-Request-ID`: ours, when the call was ours."""
    project_id: str | None
    """The caller's project; whose the resource is, `payload.owner_project_id` says."""
    user_id: str | None
    user_name: str | None
    remote_address: str | None
    payload: Payload
    versioned: bool = False
    """Whether the payload came as a versioned object."""
    redacted: bool = False
    """Whether a secret was taken out of it."""

    @property
    def phase(self) -> str | None:
        """`start`, `end`, `error`, … of an operation that takes time; None for a plain fact."""
        last = self.event_type.rsplit(".", 1)[-1]
        return last if last in PHASES else None

    @property
    def resource_id(self) -> str | None:
        """The resource that it is about."""
        return self.payload.resource_id

    def is_about(self, *prefixes: str) -> bool:
        """Whether the type is one of `prefixes` or below it, by words: `port` takes `port.update.end` alone."""
        return any(self.event_type == prefix or self.event_type.startswith(f"{prefix}.") for prefix in prefixes)
