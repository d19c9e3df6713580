"""The register that the modules of this room fill."""

from dataclasses import dataclass

from contracts import security_monitor
from contracts.site import Site
from security_monitor.store.rule_files import RuleFiles
from security_monitor.store.siem_file import SiemFile
from shared.handlers import Handlers


@dataclass(frozen=True)
class Context:
    """What the handlers use beside their transaction."""

    siem: SiemFile | None
    site: Site
    rule_files: RuleFiles
    siem_seconds: float = 1.0
    detection_seconds: float = 0.5


handlers: Handlers[Context] = Handlers(security_monitor)
