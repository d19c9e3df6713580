"""What storage does about which message. The register is `handlers`; each room of this folder fills its part."""

from storage.handlers import events, looking, watching
from storage.handlers.register import Context, handlers

__all__ = ["Context", "events", "handlers", "looking", "watching"]
