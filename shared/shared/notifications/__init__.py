"""OpenStack's notifications: their decoding, and the connection that brings them."""

from contracts.openstack import Notification
from shared.notifications.decode import decode
from shared.notifications.firehose import Firehose
from shared.notifications.heading import Heading
from shared.notifications.raw import BrokenNotification, Raw
from shared.notifications.scan import Sealed, scan, seal, sealed_ahead
from shared.notifications.topology import Binding, QueueLimits, bindings_for

__all__ = [
    "Binding",
    "BrokenNotification",
    "Firehose",
    "Heading",
    "Notification",
    "QueueLimits",
    "Raw",
    "Sealed",
    "bindings_for",
    "decode",
    "scan",
    "seal",
    "sealed_ahead",
]
