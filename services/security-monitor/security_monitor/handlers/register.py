"""The register that the modules of this room fill."""

from dataclasses import dataclass

from contracts import security_monitor
from security_monitor.store.siem_file import SiemFile
from shared.handlers import Handlers


@dataclass(frozen=True)
class Context:
    """What the handlers use beside their transaction."""

    siem: SiemFile | None
    siem_seconds: float = 1.0


handlers: Handlers[Context] = Handlers(security_monitor)
