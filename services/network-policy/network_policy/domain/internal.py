"""Which networks OpenStack's own services talk on: no tenant's port belongs there (row C3)."""

from collections.abc import Iterable

from network_policy.domain.intervals import meets
from network_policy.domain.rule import ETHERTYPES, addresses_of
from network_policy.domain.world import Network, Subnet


def internal_network_ids(
    named: str | None, prefixes: tuple[str, ...], networks: Iterable[Network], subnets: Iterable[Subnet]
) -> frozenset[str]:
    """Those of that name or id, and those with a subnet that overlaps one of the prefixes."""
    by_name = (each.id for each in networks if named is not None and named in (each.id, each.name))
    by_prefix = (each.network_id for each in subnets if any(overlap(prefix, each.cidr) for prefix in prefixes))
    return frozenset((*by_name, *by_prefix))


def overlap(one: str, other: str) -> bool:
    """Whether two prefixes have an address in common; of different IP versions they never have."""
    return any(
        meets(left, right)
        for ethertype in ETHERTYPES
        if (left := addresses_of(one, ethertype)) and (right := addresses_of(other, ethertype))
    )
