"""The audit log's rows as OCSF 1.5.0 events, for a SIEM."""

from security_monitor.domain.ocsf.messages import event_of_message
from security_monitor.domain.ocsf.notifications import event_of_notification

__all__ = ["event_of_message", "event_of_notification"]
