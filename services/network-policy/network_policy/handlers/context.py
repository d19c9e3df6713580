"""What every handler of the service is given, and the register that they are entered in."""

from dataclasses import dataclass

from contracts import network_policy
from contracts.site import Site
from network_policy.cloud import PolicyCloud
from shared.handlers import Handlers

WHOLE_CLOUD = ":cloud"
"""The key of the full scan; no workspace can be called so."""


@dataclass(frozen=True)
class Context:
    """The site, the cloud, and whether it may be changed."""

    site: Site
    cloud: PolicyCloud
    is_enforcing: bool
    scan_seconds: float


handlers: Handlers[Context] = Handlers(network_policy)
