"""What every handler of the service is given, and the register that they are entered in."""

from dataclasses import dataclass, field

from contracts import network_policy
from contracts.site import Site
from network_policy.cloud import PolicyCloud
from network_policy.domain.duplicates import Looked
from network_policy.handlers.model import Model
from network_policy.handlers.own import tells_of
from network_policy.handlers.pace import Pace
from network_policy.handlers.policies import Policies
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
    quarantine_down_seconds: float = 180.0
    """How long ports in quarantine are out of service, so that flows die that were there before."""
    history_days: float = 400.0
    """How long a version that stands no more is kept."""
    policies: Policies = field(default_factory=Policies, compare=False)
    model: Model = field(default_factory=Model, compare=False)
    remembered: dict[str, object] = field(default_factory=dict, compare=False)
    """Of each workspace what its last look wrote into the history, and under which lane."""
    looked_macs: dict[str, Looked] = field(default_factory=dict, compare=False)
    """What several ports say, by the MAC address, as this process last looked at it."""
    pace: Pace = field(default_factory=Pace, compare=False)
    under_way: set[str] = field(default_factory=set, compare=False)
    """The repairs at once whose calls this process has begun and whose outcome it has not written down."""


handlers: Handlers[Context] = Handlers(network_policy, hears_begun=False, tells_of=tells_of)
