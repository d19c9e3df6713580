"""The only room that talks to Neutron: reads its state as values of the domain, and makes single changes."""

from network_policy.cloud.allowing import AllowingCloud
from network_policy.cloud.changing import ChangingCloud
from network_policy.cloud.custody import CustodyCloud
from network_policy.cloud.observing import ObservingCloud, networks_of
from network_policy.cloud.sayers import SayersCloud


class PolicyCloud(ObservingCloud, ChangingCloud, CustodyCloud, SayersCloud, AllowingCloud):
    """Neutron, as network-policy uses it."""


__all__ = ["PolicyCloud", "networks_of"]
