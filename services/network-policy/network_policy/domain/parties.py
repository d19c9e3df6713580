"""Who takes part in a pair: ports that are alike to the proof, and what they may send and hear at all."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from network_policy.domain.filters import Box, Claim, Filters
from network_policy.domain.intervals import Intervals
from network_policy.domain.rule import Ethertype
from network_policy.domain.topology import Topology
from network_policy.domain.world import Port


@dataclass(frozen=True)
class Ends:
    """What the ports of a party may send and hear at all."""

    out: tuple[Box, ...]
    into: tuple[Box, ...]
    own: Intervals
    floating: Intervals
    sources: Intervals


@dataclass(frozen=True)
class Party:
    """Ports that are alike to the proof: same owner, role, filters and segment. `claim` is None for strangers."""

    claim: Claim | None
    role: str | None
    ports: tuple[Port, ...]
    filtered: bool
    ends: dict[Ethertype, Ends] = field(default_factory=dict, compare=False)
    """What the examiner found out about all its ports at once."""

    @property
    def first(self) -> Port:
        return self.ports[0]

    @property
    def is_plain(self) -> bool:
        """Whether its packets carry its own addresses only."""
        return self.filtered and not any(port.address_pairs for port in self.ports)


def parties_of(
    ports: Iterable[Port], claims: Mapping[str, Claim], filters: Filters, topology: Topology
) -> Iterator[Party]:
    """The ports that act (Neutron's own are left out), those alike together; `claims` by project."""
    alike: dict[tuple[object, ...], list[tuple[str | None, Port]]] = {}
    for port in ports:
        claim = claims.get(port.project_id)
        role = claim.port_roles.get(port.id) if claim else None
        if role is not None or not topology.is_infrastructure(port):
            key = (
                claim.workspace if claim else None,
                role,
                frozenset(port.group_ids),
                filters.is_filtered(port),
                port.network_id,
                bool(port.address_pairs),
            )
            alike.setdefault(key, []).append((role, port))
    for members in alike.values():
        role, first = members[0]
        yield Party(claims.get(first.project_id), role, tuple(port for _, port in members), filters.is_filtered(first))
