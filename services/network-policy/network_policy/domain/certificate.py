"""What a proof rests on: the assumptions it is made under, and the digest of everything it looked at."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

from network_policy.domain.filters import Claim
from network_policy.domain.world import World

ASSUMPTIONS = (
    "Neutron's answer is what its backend enforces",
    "replies to a permitted packet are permitted by stateful groups",
    "ARP, neighbour discovery and multicast listener reports pass whatever the groups say",
    "outside hosts do not send with source addresses of networks behind a router",
    "Neutron's own DHCP, metadata and router ports open no connections to nodes",
    "networks meet without a router only where Neutron tells the same segment of both",
)
ASSUMED_OF_STATELESS = "stateless groups permit a reply only where a rule permits it"
ASSUMED_ON_HARDWARE = "the fabric enforces the groups of bare-metal and direct ports"
ASSUMED_OF_SEVERAL_NETWORKS = (
    "what servers on several networks, trunks' subports included, pass on from one to another is theirs to answer for: "
    "each packet was judged as their own"
)
ASSUMED_OF_DHCP_OPTIONS = (
    "ports with DHCP options of their own send where these point them (router, routes, DNS, boot server) only what the "
    "groups permit, and no neighbour takes packets for addresses that are not its own"
)
ASSUMED_NEARBY = "other projects were looked at by the last full scan"


def digest_of(world: World, claims: Iterable[Claim]) -> str:
    """SHA-256 over everything that the proof looks at, in an order that does not depend on the listing's."""
    hashed = hashlib.sha256()
    for name, values in sorted(asdict(world).items()):
        rows = (
            sorted(json.dumps(value, sort_keys=True) for value in values)
            if isinstance(values, tuple)
            else [str(values)]
        )
        hashed.update(json.dumps([name, rows]).encode())
    for claim in sorted(claims, key=lambda claim: claim.workspace):
        hashed.update(json.dumps(claim_row(claim), sort_keys=True).encode())
    return "sha256:" + hashed.hexdigest()


def claim_row(claim: Claim) -> list[object]:
    """All that a claim says, in an order that does not depend on how it was made."""
    rules = {
        role: [str(rule.key()) for rule in sorted(rules, key=lambda rule: rule.key())]
        for role, rules in sorted(claim.policy.roles.items())
    }
    groups, ports = dict(sorted(claim.group_ids.items())), dict(sorted(claim.port_roles.items()))
    return [claim.workspace, claim.project_id, rules, groups, ports, sorted(claim.server_ids)]
