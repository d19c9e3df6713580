"""What OpenStack says on its message bus, typed: inbound models, which ignore what they don't know."""

from contracts.openstack.notification import Notification
from contracts.openstack.payload import Payload, Unmodelled
from contracts.openstack.reading import read_payload

__all__ = ["Notification", "Payload", "Unmodelled", "read_payload"]
