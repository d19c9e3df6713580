"""Is any packet possible that nobody declared? A counterexample with the rules that let it pass, or a certificate.

Neutron's groups only permit, so a packet passes exactly when a rule of the sender and a rule of the receiver meet: no
solver is needed. `Prover` looks at every pair of parties of one world: the plain form, and the reference that
`domain/engine` is held to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.network_policy import Counterexample
from network_policy.domain.carried import as_carried, projects_of_servers
from network_policy.domain.certificate import (
    ASSUMED_NEARBY,
    ASSUMED_OF_DHCP_OPTIONS,
    ASSUMED_OF_SEVERAL_NETWORKS,
    ASSUMED_OF_STATELESS,
    ASSUMED_ON_HARDWARE,
    ASSUMPTIONS,
    digest_of,
)
from network_policy.domain.filters import Claim, Filters
from network_policy.domain.pairs import Examiner, Found
from network_policy.domain.parties import Party, parties_of
from network_policy.domain.rule import ETHERTYPES
from network_policy.domain.topology import Topology
from network_policy.domain.world import Group, Port, World


@dataclass(frozen=True, slots=True)
class Verdict:
    """`digest` identifies exactly what was looked at; no counterexample means that it is a certificate."""

    workspace: str
    counterexamples: tuple[Counterexample, ...]
    digest: str
    assumptions: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.counterexamples


def assumptions_of(
    ports: Iterable[Port], groups: Mapping[str, Group], parents: Mapping[str, str], *, is_whole: bool
) -> tuple[str, ...]:
    """What a verdict about these ports rests on beside what was observed.

    `groups` are all that can be seen, by id; `parents` the trunks' parents, by subport.
    """
    assumptions: tuple[str, ...] = ASSUMPTIONS
    every = tuple(ports)
    used = {group_id for port in every for group_id in port.group_ids}
    if any(not groups[group_id].stateful for group_id in used if group_id in groups):
        assumptions += (ASSUMED_OF_STATELESS,)
    if any(port.vnic_type != "normal" for port in every):
        assumptions += (ASSUMED_ON_HARDWARE,)
    if any(port.dhcp_options for port in every):
        assumptions += (ASSUMED_OF_DHCP_OPTIONS,)
    if _are_on_several_networks(every, parents):
        assumptions += (ASSUMED_OF_SEVERAL_NETWORKS,)
    return assumptions if is_whole else (*assumptions, ASSUMED_NEARBY)


def _are_on_several_networks(ports: Iterable[Port], parents: Mapping[str, str]) -> bool:
    """Whether one server has ports on more than one network."""
    known = {port.id: port for port in ports}
    networks: dict[str, str] = {}
    for port in known.values():
        parent = known.get(parents.get(port.id, ""), port)
        server = parent.device_id or parents.get(port.id, port.id)
        if networks.setdefault(server, port.network_id) != port.network_id:
            return True
    return False


class Prover:
    """Proves over one world. Makes its indices once; asks may be many."""

    def __init__(self, world: World, claims: Sequence[Claim]) -> None:
        self.world = world
        self.claims = {claim.project_id: claim for claim in claims}
        carried = as_carried(world, projects_of_servers(claims))
        self.filters = Filters(carried)
        self.topology = Topology(carried)
        self.parties: tuple[Party, ...] = tuple(parties_of(carried.ports, self.claims, self.filters, self.topology))
        self.digest = digest_of(world, claims)

    def prove(self, workspace: str) -> Verdict:
        """The verdict on every packet that one of the workspace's ports could send or hear."""
        own = [party for party in self.parties if party.claim and party.claim.workspace == workspace]
        examiner, found = Examiner(self.filters, self.topology), Found()
        for ethertype in ETHERTYPES:
            for party in own:
                examiner.outside(found, party, ethertype)
            for party in own:
                for other in self.parties:
                    for source, target in ((party, other), (other, party)):
                        if source is not target or len(party.ports) > 1:
                            examiner.between(found, source, target, ethertype)
        ports = (port for party in own for port in party.ports)
        parents = self.topology.parents
        assumptions = assumptions_of(ports, self.filters.groups, parents, is_whole=self.world.whole)
        return Verdict(workspace, tuple(found.values()), self.digest, assumptions)
