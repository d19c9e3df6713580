"""A site-to-site IPsec tunnel as one document, from which both ends are configured (rows D4 to D7)."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import product
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from contracts.envelope import Problem
from contracts.identifiers import Identifier
from contracts.site import Site

Address = Annotated[str, StringConstraints(max_length=45)]
Prefix = Annotated[str, StringConstraints(max_length=49)]
Proposal = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(-[a-z0-9_]+)*;[a-z0-9_]+$", max_length=60)]

AUTHENTICATED: Final = frozenset({"aes_gcm256", "aes_gcm128", "chacha20_poly1305"})
"""Encryption that authenticates as well: 8 octets of IV, 16 of integrity check (RFC 4106, RFC 7634)."""
CIPHERS: Final = frozenset({"aes256", "aes128", *AUTHENTICATED})
HASHES: Final = frozenset({"sha2_256", "sha2_384", "sha2_512"})
GROUPS: Final = frozenset({"dh14", "dh15", "dh16", "dh17", "dh18", "dh19", "dh20", "dh21", "dh31",
                            "modp2048", "modp3072", "modp4096", "modp6144", "modp8192"})  # fmt: skip
"""What RFC 8247 and RFC 8221 have as MUST or SHOULD, in Libreswan's words, and groups of at least 112 bits (NIST SP 800-131A)."""
_ICV_OCTETS: Final = {"sha2_256": 16, "sha2_384": 24, "sha2_512": 32}
"""RFC 4868."""
_TUNNEL_OCTETS: Final = {4: 20, 6: 40}
_UDP_OCTETS, _ESP_OCTETS, _LENGTH_AND_NEXT_OCTETS = 8, 8, 2
_ASK: Final = "ask the far side for aes_gcm256-sha2_512;dh20, or at least aes256-sha2_256;modp2048 (DH group 14)"


class End(BaseModel):
    """One gateway and what lies behind it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway: Address
    """Its public address, which is also its identity."""
    own_address: Address | None = None
    """The address that it has itself, where NAT gives it the public one."""
    prefixes: Annotated[tuple[Prefix, ...], Field(min_length=1, max_length=64)]

    @field_validator("gateway", "own_address")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else str(ip_address(value))

    @field_validator("prefixes")
    @classmethod
    def _are_canonical(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(prefix, strict=True)) for prefix in value)

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(prefix) for prefix in self.prefixes)


class TunnelDocument(BaseModel):
    """The whole tunnel; see docs/burst.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["Tunnel"]
    name: Identifier
    near: End
    far: End
    path_mtu_bytes: Annotated[int, Field(ge=1280, le=9216)] = 1500
    """The largest packet that the way between the gateways takes."""
    ike: Annotated[tuple[Proposal, ...], Field(min_length=1, max_length=8)] = ("aes_gcm256-sha2_512;dh20",)
    """Encryption-PRF;group of the control channel, the preferred one first."""
    esp: Annotated[tuple[Proposal, ...], Field(min_length=1, max_length=8)] = ("aes_gcm256;dh20",)
    """Encryption;group, or encryption-hash;group, of the traffic. The group is that of perfect forward secrecy."""
    ike_lifetime_seconds: Annotated[int, Field(ge=3600, le=86_400)] = 28_800
    sa_lifetime_seconds: Annotated[int, Field(ge=900, le=28_800)] = 3600
    liveness_seconds: Annotated[int, Field(ge=1, le=60)] = 10
    """How long nothing is heard before the far end is asked whether it lives."""
    dead_seconds: Annotated[int, Field(ge=5, le=300)] = 60
    """How long it may leave the question unanswered before the tunnel is made anew."""

    @field_validator("ike")
    @classmethod
    def _ike_is_strong(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proposal in value:
            cipher, hashes, group = _parts(proposal)
            _refuse_weak(proposal, cipher, hashes, group)
            if not hashes:
                raise ValueError(f"{proposal}: a PRF is missing, as in aes_gcm256-sha2_512;dh20")
        return value

    @field_validator("esp")
    @classmethod
    def _esp_is_strong(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for proposal in value:
            cipher, hashes, group = _parts(proposal)
            _refuse_weak(proposal, cipher, hashes, group)
            if (cipher in AUTHENTICATED) == bool(hashes):
                raise ValueError(f"{proposal}: aes128 and aes256 want a hash, the others have none")
        if len(groups := {_parts(proposal)[2] for proposal in value}) > 1:
            raise ValueError(f"{', '.join(sorted(groups))}: Libreswan takes one group for all proposals of esp")
        return value

    @property
    def inner_mtu_bytes(self) -> int:
        """The largest packet that passes unbroken, whichever of the proposals is agreed on, through NAT or not."""
        outer = _TUNNEL_OCTETS[ip_address(self.far.gateway).version]
        room = self.path_mtu_bytes - outer - _UDP_OCTETS - _ESP_OCTETS
        return min(_payload(room, *_parts(proposal)[:2]) for proposal in self.esp)

    @property
    def inner_mss_bytes(self) -> int:
        """The most data of a TCP segment that passes unbroken: IPv4 and TCP headers without options are 40 octets."""
        return self.inner_mtu_bytes - (40 if self.near.networks[0].version == 4 else 60)


def problems(document: TunnelDocument, site: Site | None = None) -> Iterator[Problem]:
    """What would not work, or not as meant (row D7): overlaps, gateways that lie in the tunnel, a site that says otherwise."""
    for number, (near, far) in enumerate(product(document.near.networks, document.far.networks)):
        if near.version == far.version and near.overlaps(far):
            field = f"far.prefixes.{number % len(document.far.networks)}"
            yield Problem(field=field, reason=f"{far} overlaps {near} of the near end", remedy="renumber one of them")
    for side, end in (("near", document.near), ("far", document.far)):
        for other in (*document.near.networks, *document.far.networks):
            if ip_address(end.gateway) in other:
                reason = f"the gateway {end.gateway} lies in {other}, which goes through the tunnel"
                yield Problem(field=f"{side}.gateway", reason=reason, remedy="leave it out of the prefixes")
    if len({network.version for end in (document.near, document.far) for network in end.networks}) > 1:
        yield Problem(field="far.prefixes", reason="IPv4 and IPv6 in one tunnel", remedy="write a document for each")
    if document.inner_mtu_bytes < 1280 and document.near.networks[0].version == 6:
        reason = f"{document.inner_mtu_bytes} octets are left inside; IPv6 wants 1280 (RFC 8200)"
        yield Problem(field="path_mtu_bytes", reason=reason)
    if site is not None:
        yield from _against_site(document, site)


def _against_site(document: TunnelDocument, site: Site) -> Iterator[Problem]:
    known = site.tunnels.get(document.name)
    if known is None:
        yield Problem(field="name", reason=f"the site has no tunnel '{document.name}'", remedy="add it to its tunnels")
        return
    if set(known.far_prefixes) != set(document.far.prefixes):
        reason = f"the site file has {', '.join(known.far_prefixes)}: its firewall opens those"
        yield Problem(field="far.prefixes", reason=reason, remedy="write the same in both")
    if not any(ip_address(document.far.gateway) in ip_network(peer) for peer in known.peers):
        yield Problem(field="far.gateway", reason=f"the site file has {', '.join(known.peers)}")
    if known.path_mtu_bytes != document.path_mtu_bytes:
        yield Problem(field="path_mtu_bytes", reason=f"the site file has {known.path_mtu_bytes}")


def _parts(proposal: str) -> tuple[str, tuple[str, ...], str]:
    names, _, group = proposal.partition(";")
    cipher, *hashes = names.split("-")
    return cipher, tuple(hashes), group


def _refuse_weak(proposal: str, cipher: str, hashes: tuple[str, ...], group: str) -> None:
    """Row D6. Raises ValueError naming the part that is weak or unknown."""
    for part, strong in ((cipher, CIPHERS), *((each, HASHES) for each in hashes), (group, GROUPS)):
        if part not in strong:
            word = "weak" if re.search(r"des|sha1|md5|modp1024|modp1536|dh[125]$|dh2[234]|null", part) else "not known"
            raise ValueError(f"{proposal}: '{part}' is {word}; {_ASK}")


def _payload(room: int, cipher: str, hashes: tuple[str, ...]) -> int:
    """What of `room` octets after ESP's header is left for a packet: IV, padding, trailer and integrity check go off."""
    if cipher in AUTHENTICATED:
        iv, icv, block = 8, 16, 4
    else:
        iv, icv, block = 16, max(_ICV_OCTETS[each] for each in hashes), 16
    return (room - iv - icv) // block * block - _LENGTH_AND_NEXT_OCTETS
