"""Zones and the site's matrix: which flows of a document cross zones, and whether the site permits it (row L4)."""

from collections.abc import Iterator

from contracts.site import Passage, Site
from contracts.workspace import Flow, NodeRole, Workspace


def zones_of_role(document: Workspace, site: Site, role: NodeRole) -> tuple[str, ...]:
    """The zones that the role's networks are in."""
    zones = {network.name: network.zone or site.default_zone for network in document.networks}
    return tuple(dict.fromkeys(zones[name] for name in role.all_networks if name in zones))


def crossings(document: Workspace, site: Site, flow: Flow) -> Iterator[tuple[str, str]]:
    """The pairs of different zones that the flow's packets may go between."""
    froms, tos = _zones(document, site, flow, flow.from_), _zones(document, site, flow, flow.to)
    return ((one, other) for one in froms for other in tos if one != other)


def forbidden(document: Workspace, site: Site, flow: Flow) -> tuple[tuple[str, str], ...]:
    """The pairs that the flow needs and the matrix doesn't list for its protocol and ports."""
    return tuple(pair for pair in crossings(document, site, flow) if not _is_listed(site, pair, flow))


def _zones(document: Workspace, site: Site, flow: Flow, end: str) -> tuple[str, ...]:
    kind, colon, name = end.partition(":")
    if colon:
        if kind == "zone":
            return (name,)
        endpoint = site.endpoints.get(name)
        return (endpoint.zone,) if endpoint is not None and endpoint.zone is not None else ()
    role = document.role(flow.from_ if end == "self" else end)
    return () if role is None else zones_of_role(document, site, role)


def _is_listed(site: Site, pair: tuple[str, str], flow: Flow) -> bool:
    passages = [each for each in site.zone_matrix if (each.from_, each.to) == pair]
    if any(each.protocol == "any" for each in passages):
        return True
    if flow.protocol in ("any", "icmp"):
        return flow.protocol == "icmp" and any(each.protocol == "icmp" for each in passages)
    open_ports = _open_ports([each for each in passages if each.protocol == flow.protocol])
    return all(set(range(low, high + 1)) <= open_ports for low, high in flow.port_ranges())


def _open_ports(passages: list[Passage]) -> set[int]:
    return {
        port
        for each in passages
        for low, high in (each.port_ranges() or ((1, 65535),))
        for port in range(low, high + 1)
    }
