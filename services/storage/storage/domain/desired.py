"""What a document wants of storage, and what speaks against it at this site."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.envelope import Problem
from contracts.site import Site
from contracts.workspace import Share, Workspace
from storage.domain import names
from storage.domain.access import AccessRule

Limits = Mapping[str, int]


@dataclass(frozen=True)
class DesiredShare:
    """One share with who may use it; `field` is its place in the document."""

    name: str
    cloud_name: str
    field: str
    size_gib: int
    protocol: str
    share_type: str
    access: frozenset[AccessRule]


@dataclass(frozen=True)
class DesiredVolume:
    """One volume for one node. `volume_type` None takes Cinder's default."""

    name: str
    cloud_name: str
    field: str
    size_gib: int
    volume_type: str | None
    node: str


@dataclass(frozen=True)
class Desired:
    """All that one generation of a workspace wants."""

    workspace: str
    generation: int
    shares: tuple[DesiredShare, ...] = ()
    volumes: tuple[DesiredVolume, ...] = ()
    limits: Mapping[str, Limits] | None = None
    """The project's quota by service (`share`, `volume`); a service that the document has no use for is left out."""


def desired(document: Workspace, generation: int, site: Site) -> Desired:
    """The shares, volumes, access and limits of a document that has no `problems`."""
    shares = tuple(
        DesiredShare(
            name=share.name,
            cloud_name=names.share(document, share),
            field=f"storage.shares.{position}",
            size_gib=share.size_gib,
            protocol=share.protocol,
            share_type=share.share_type or site.share_types[share.protocol],
            access=access(document, share),
        )
        for position, share in enumerate(document.storage.shares)
    )
    volumes = tuple(_volumes(document, site))
    return Desired(document.name, generation, shares, volumes, limits(document))


def _volumes(document: Workspace, site: Site) -> Iterator[DesiredVolume]:
    for position, volume in enumerate(document.storage.volumes):
        role = document.role(volume.role)
        for index in range(role.count if role is not None else 0):
            yield DesiredVolume(
                name=volume.name,
                cloud_name=names.volume(document, volume, index),
                field=f"storage.volumes.{position}",
                size_gib=volume.size_gib,
                volume_type=volume.volume_type or site.volume_type,
                node=names.node(document, volume.role, index),
            )


def access(document: Workspace, share: Share) -> frozenset[AccessRule]:
    """Who may use the share: a cephx id for each role, or for NFS the IPv4 prefixes of the roles' networks."""
    if share.protocol == "CEPHFS":
        return frozenset(
            AccessRule("cephx", names.cephx_id(document.name, role), level) for role, level in share.access.items()
        )
    prefixes = {network.name: network.cidr for network in document.networks}
    return frozenset(
        AccessRule("ip", prefixes[network], level)
        for role, level in share.access.items()
        for network in _networks_of(document, role)
        if network in prefixes
    )


def limits(document: Workspace) -> dict[str, Limits]:
    """Upper bounds on the project: what the document needs, or what its `quotas` section says instead."""
    made: dict[str, Limits] = {}
    volumes, volumes_gib = _volume_needs(document)
    if volumes or document.quotas.volumes_gib is not None:
        made["volume"] = {"volumes": max(volumes, 1), "gigabytes": _or(document.quotas.volumes_gib, volumes_gib)}
    shares = document.storage.shares
    if shares or document.quotas.shares_gib is not None:
        needed_gib = sum(share.size_gib for share in shares)
        made["share"] = {"shares": max(len(shares), 1), "gigabytes": _or(document.quotas.shares_gib, needed_gib)}
    return made


def problems(document: Workspace, site: Site) -> tuple[Problem, ...]:
    """Why the document can't be served at this site; empty when it can. Rows L18 and I8."""
    return tuple(found for rule in (_backends, _levels, _quotas) for found in rule(document, site))


def _backends(document: Workspace, site: Site) -> Iterator[Problem]:
    """Row L18: only the site's own types, so that data lands on no other backend."""
    for position, share in enumerate(document.storage.shares):
        field = f"storage.shares.{position}"
        allowed = site.share_types.get(share.protocol)
        if allowed is None:
            yield Problem(
                field=f"{field}.protocol",
                reason=f"{share.protocol} is not in the site's list of allowed backends",
                remedy=f"use one of: {', '.join(sorted(site.share_types)) or 'none is allowed'}",
            )
        elif share.share_type not in (None, allowed):
            yield Problem(
                field=f"{field}.share_type",
                reason=f"share type '{share.share_type}' is not the site's type for {share.protocol}",
                remedy=f"leave it out, or write '{allowed}'",
            )
    for position, volume in enumerate(document.storage.volumes):
        if site.volume_type is not None and volume.volume_type not in (None, site.volume_type):
            yield Problem(
                field=f"storage.volumes.{position}.volume_type",
                reason=f"volume type '{volume.volume_type}' is not the site's type",
                remedy=f"leave it out, or write '{site.volume_type}'",
            )


def _levels(document: Workspace, _: Site) -> Iterator[Problem]:
    """NFS lets whole networks in: all roles on a network must have the same access, or it would be more than declared."""
    for position, share in enumerate(document.storage.shares):
        if share.protocol != "NFS":
            continue
        for network in document.networks:
            levels = {
                role.name: share.access.get(role.name) for role in document.roles if network.name in role.networks
            }
            if len(set(levels.values())) > 1:
                told = ", ".join(f"{role}: {level or 'none'}" for role, level in sorted(levels.items()))
                yield Problem(
                    field=f"storage.shares.{position}.access",
                    reason=f"NFS can't tell the roles of network '{network.name}' apart, and they differ ({told})",
                    remedy="take CEPHFS, give them the same access, or put them on networks of their own",
                )


def _quotas(document: Workspace, _: Site) -> Iterator[Problem]:
    _count, volumes_gib = _volume_needs(document)
    shares_gib = sum(share.size_gib for share in document.storage.shares)
    for field, bound, need in (
        ("volumes_gib", document.quotas.volumes_gib, volumes_gib),
        ("shares_gib", document.quotas.shares_gib, shares_gib),
    ):
        if bound is not None and bound < need:
            yield Problem(
                field=f"quotas.{field}",
                reason=f"the document's storage needs {need} GiB, the quota is {bound} GiB",
                remedy=f"raise it to at least {need}, or ask for less",
            )


def _networks_of(document: Workspace, role: str) -> tuple[str, ...]:
    found = document.role(role)
    return found.networks if found is not None else ()


def _volume_needs(document: Workspace) -> tuple[int, int]:
    counted = [
        (role.count, volume.size_gib)
        for volume in document.storage.volumes
        if (role := document.role(volume.role)) is not None
    ]
    return sum(count for count, _ in counted), sum(count * size for count, size in counted)


def _or(asked: int | None, needed: int) -> int:
    return needed if asked is None else asked
