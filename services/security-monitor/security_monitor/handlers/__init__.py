"""What security-monitor hears and writes down: everything. The wiring stands here; each part in its own module."""

from security_monitor.handlers import detections, events, life, notifications, queries, siem
from security_monitor.handlers.register import Context, handlers

__all__ = ["Context", "detections", "events", "handlers", "life", "notifications", "queries", "siem"]
