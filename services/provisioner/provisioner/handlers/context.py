"""What every handler may use, and the register that they are in."""

from dataclasses import dataclass

from contracts import provisioner
from contracts.site import Site
from provisioner.cloud import ProvisionerCloud
from shared.handlers import Handlers


@dataclass(frozen=True)
class Context:
    """The service's surroundings."""

    site: Site
    cloud: ProvisionerCloud
    is_enforcing: bool
    """False: reads and plans, changes nothing."""
    scan_seconds: float
    poll_seconds: float
    """How soon to look again at a server that is being built, should its notification not come."""
    concurrent_steps: int
    """Calls of one workspace that may be under way at once."""


handlers: Handlers[Context] = Handlers(provisioner)
