"""What speaks against a document in this cloud, told before anything is made."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_network

from contracts.envelope import Problem
from contracts.site import Site
from contracts.workspace import Network, NetworkClass, NodeRole, Workspace
from provisioner.domain import foundation, quotas
from provisioner.domain.catalog import Catalog, Flavor, Image


def problems(
    document: Workspace, site: Site, catalog: Catalog, neighbours: Collection[Workspace]
) -> tuple[Problem, ...]:
    """Everything in the cloud's catalog and in the other workspaces that the document runs against."""
    return (
        *_networks(document, site, catalog),
        *overlaps(document, neighbours),
        *_segments(document, neighbours),
        *(problem for position, role in enumerate(document.roles) for problem in _role(position, role, catalog)),
        *_bare_metal(document, catalog),
        *quotas.problems(document, catalog),
    )


def overlaps(document: Workspace, neighbours: Iterable[Workspace]) -> Iterator[Problem]:
    """Prefixes of the document that another workspace has: no two may be told apart by address otherwise."""
    for neighbour in neighbours:
        if neighbour.name == document.name:
            continue
        for theirs in neighbour.networks:
            if theirs.network_class is not NetworkClass.PRIVATE:
                continue
            for position, ours in enumerate(document.networks):
                if ours.network_class is NetworkClass.PRIVATE:
                    yield from _overlap(position, ours, neighbour.name, theirs)


def _segments(document: Workspace, neighbours: Iterable[Workspace]) -> Iterator[Problem]:
    """Segmentation ids that another workspace, or the document itself, has chosen: Neutron gives each once."""
    taken = {
        (each.segmentation, each.segmentation_id): neighbour.name
        for neighbour in neighbours
        if neighbour.name != document.name
        for each in neighbour.networks
        if each.segmentation_id is not None
    }
    for position, network in enumerate(document.networks):
        if network.segmentation_id is None:
            continue
        segment = (network.segmentation, network.segmentation_id)
        if segment in taken:
            yield Problem(
                field=f"networks.{position}.segmentation_id",
                reason=f"{network.segmentation} {network.segmentation_id} is taken by workspace '{taken[segment]}'",
                remedy="choose another, or leave the choice to Neutron",
            )
        taken[segment] = document.name


def _overlap(position: int, ours: Network, neighbour: str, theirs: Network) -> Iterator[Problem]:
    for mine in map(ip_network, foundation.prefixes(ours)):
        for other in map(ip_network, foundation.prefixes(theirs)):
            if mine.version == other.version and mine.overlaps(other):
                yield Problem(
                    field=f"networks.{position}.{'cidr' if mine.version == 4 else 'cidr6'}",
                    reason=f"{mine} overlaps network '{theirs.name}' ({other}) of workspace '{neighbour}'",
                    remedy="choose a free prefix",
                )


def _networks(document: Workspace, site: Site, catalog: Catalog) -> Iterator[Problem]:
    outside = site.external_network
    for position, network in enumerate(document.networks):
        if network.network_class is NetworkClass.PRIVATE:
            found = catalog.network(outside) if outside else None
            if network.routed and outside and (found is None or not found.is_external):
                yield Problem(
                    field=f"networks.{position}.routed",
                    reason=f"the site's external network '{outside}' is not in this cloud",
                    remedy="correct external_network in the site file, or set routed to false",
                )
            continue
        name = site.networks.get(network.name, "")
        existing = catalog.network(name)
        if existing is None:
            yield Problem(
                field=f"networks.{position}.name",
                reason=f"the site's network '{network.name}' is not in this cloud ('{name}')",
                remedy="correct the site file's networks",
            )
            continue
        for prefix in foundation.prefixes(network):
            if prefix not in existing.subnets.values():
                yield Problem(
                    field=f"networks.{position}.{'cidr6' if ':' in prefix else 'cidr'}",
                    reason=f"network '{name}' has no subnet {prefix}",
                    remedy=f"use its own: {', '.join(sorted(existing.subnets.values())) or 'it has none'}",
                )


def _role(position: int, role: NodeRole, catalog: Catalog) -> Iterator[Problem]:
    field = f"roles.{position}"
    flavor, image = catalog.flavor(role.flavor), catalog.image(role.image)
    if flavor is None:
        yield Problem(
            field=f"{field}.flavor",
            reason=f"no flavor '{role.flavor}' in this cloud",
            remedy=_choose(each.name for each in catalog.flavors),
        )
    elif (flavor.resource_class is not None) != (role.hardware == "baremetal"):
        kind = "bare metal" if flavor.resource_class else "virtual machines"
        yield Problem(
            field=f"{field}.hardware",
            reason=f"flavor '{role.flavor}' is of {kind}, the role wants {role.hardware}",
            remedy="take a flavor of that hardware, or change the role's hardware",
        )
    if image is None:
        yield Problem(
            field=f"{field}.image",
            reason=f"no active image '{role.image}' in this cloud",
            remedy=_choose(each.name for each in catalog.images),
        )
    if flavor is not None and image is not None:
        yield from _fit(field, flavor, image)
    if role.keypair is not None and role.keypair not in catalog.keypairs:
        yield Problem(
            field=f"{field}.keypair",
            reason=f"the provisioner's user has no keypair '{role.keypair}'",
            remedy=_choose(catalog.keypairs),
        )


def _fit(field: str, flavor: Flavor, image: Image) -> Iterator[Problem]:
    if image.min_ram_mib > flavor.ram_mib:
        yield Problem(
            field=f"{field}.flavor",
            reason=f"image '{image.name}' needs {image.min_ram_mib} MiB of memory, '{flavor.name}' has {flavor.ram_mib}",
            remedy="take a larger flavor",
        )
    if image.min_disk_gib > flavor.disk_gib > 0:
        yield Problem(
            field=f"{field}.flavor",
            reason=f"image '{image.name}' needs a disk of {image.min_disk_gib} GiB, '{flavor.name}' has {flavor.disk_gib}",
            remedy="take a flavor with a larger disk",
        )


def _bare_metal(document: Workspace, catalog: Catalog) -> Iterator[Problem]:
    """Whole machines: what is not free now can't be had (row I1)."""
    needed: dict[str, int] = {}
    for role in document.roles:
        flavor = catalog.flavor(role.flavor)
        if flavor is not None and flavor.resource_class is not None:
            needed[flavor.resource_class] = needed.get(flavor.resource_class, 0) + role.count
    for resource_class, count in needed.items():
        free = catalog.bare_metal.get(resource_class, 0)
        if count > free:
            yield Problem(
                field="roles",
                reason=f"{count} bare-metal nodes of {resource_class} are wanted, {free} are free",
                remedy="enroll or free nodes, or take fewer",
            )


def _choose(known: Iterable[str]) -> str:
    offered = sorted(set(known))
    more = f" and {len(offered) - 20} more" if len(offered) > 20 else ""
    return f"choose one of: {', '.join(offered[:20])}{more}" if offered else "there is none to choose from"
