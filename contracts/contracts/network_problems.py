"""What is wrong with a document's networks, zones, tunnels and kinds of port at a site."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from contracts.envelope import Problem
from contracts.site import Site
from contracts.workspace import KUBERNETES_API_PORT, Flow, NetworkClass, NodeRole, Workspace
from contracts.zones import forbidden


def reserved(site: Site) -> list[tuple[str, IPv4Network | IPv6Network]]:
    """What no network of a workspace may overlap, with what it is (row D7)."""
    return [
        *((f"the site's reserved prefix {prefix}", ip_network(prefix)) for prefix in site.reserved_prefixes),
        *((f"{prefix}, where OpenStack's services talk", ip_network(prefix)) for prefix in site.internal_api_prefixes),
        *(
            (f"{prefix}, the {what} of tunnel '{name}'", ip_network(prefix))
            for name, tunnel in site.tunnels.items()
            for what, prefixes in (("far side", tunnel.far_prefixes), ("far gateway", tunnel.peers))
            for prefix in prefixes
        ),
    ]


def zones(document: Workspace, site: Site) -> Iterator[Problem]:
    """Zones that the site has, and flows that its matrix lists (row L4)."""
    known = sorted({*site.zones, site.default_zone})
    for position, network in enumerate(document.networks):
        if network.zone is not None and network.zone not in known:
            yield Problem(
                field=f"networks.{position}.zone",
                reason=f"the site file names no zone '{network.zone}'",
                remedy=f"use one of: {', '.join(known)}",
            )
    for position, flow in enumerate(document.flows):
        for one, other in forbidden(document, site, flow):
            what = f"{flow.protocol}/{', '.join(flow.ports)}" if flow.ports else flow.protocol
            yield Problem(
                field=f"flows.{position}",
                reason=f"the site's zone matrix does not permit {what} from zone '{one}' to zone '{other}' (row L4)",
                remedy=_listed(site, one, other),
            )


def _listed(site: Site, one: str, other: str) -> str:
    found = [
        f"{each.protocol}/{', '.join(each.ports)}" if each.ports else each.protocol
        for each in site.zone_matrix
        if (each.from_, each.to) == (one, other)
    ]
    listed = f"permitted there: {'; '.join(found)}" if found else "nothing is permitted there"
    return f"{listed}; leave the flow out, or have the site's owner list the pair in zone_matrix"


def ports(document: Workspace, site: Site) -> Iterator[Problem]:
    """Subports, SR-IOV, VLANs: what a role's ports need of its networks (rows C4, C10, C11)."""
    networks = {network.name: network for network in document.networks}
    for position, network in enumerate(document.networks):
        named = site.networks.get(network.name)
        if network.network_class is not NetworkClass.PRIVATE and named and named == site.internal_api_network:
            yield Problem(
                field=f"networks.{position}.name",
                reason=f"'{network.name}' is the network that OpenStack's own services talk on (row C3)",
                remedy="use another network; no workspace has a port there",
            )
        if network.segmentation == "vlan" and site.vlan_physical_network is None:
            yield Problem(
                field=f"networks.{position}.segmentation",
                reason="this site has no VLANs for workspaces",
                remedy="leave segmentation out, or have vlan_physical_network set in the site file",
            )
        elif network.segmentation == "vlan" and not site.may_choose_vlan(network.segmentation_id):
            yield Problem(
                field=f"networks.{position}.segmentation_id",
                reason=f"VLAN {network.segmentation_id} is none that this site's documents may choose",
                remedy=f"leave it to Neutron, or take one of {', '.join(site.vlan_ids) or 'none (vlan_ids is empty)'}",
            )
    for position, role in enumerate(document.roles):
        for index, subport in enumerate(role.subports):
            field = f"roles.{position}.subports.{index}"
            if subport.network not in networks:
                yield Problem(
                    field=f"{field}.network",
                    reason=f"no network '{subport.network}' in this document",
                    remedy=f"declare it, or use one of: {', '.join(sorted(networks))}",
                )
            if role.all_networks.count(subport.network) > 1:
                yield Problem(field=f"{field}.network", reason=f"the role is on '{subport.network}' twice")
            if [each.vlan for each in role.subports].count(subport.vlan) > 1:
                yield Problem(field=f"{field}.vlan", reason=f"two subports have the tag {subport.vlan}")
        if role.subports and role.hardware == "baremetal":
            yield Problem(
                field=f"roles.{position}.subports",
                reason="the hardware's ports are not made into trunks by Ironic here",
                remedy="put the role on its networks directly, or take virtual machines",
            )
        if role.vnic_type == "direct":
            yield from _direct(position, role, document, site)


def _direct(position: int, role: NodeRole, document: Workspace, site: Site) -> Iterator[Problem]:
    if role.hardware == "baremetal":
        yield Problem(field=f"roles.{position}.vnic_type", reason="a bare-metal node has its own adapters, no SR-IOV")
    elif role.flavor not in site.direct_flavors:
        yield Problem(
            field=f"roles.{position}.vnic_type",
            reason=f"the hosts of flavor '{role.flavor}' offer no virtual functions, as the site file says",
            remedy=f"take one of: {', '.join(sorted(site.direct_flavors)) or 'none is declared in direct_flavors'}",
        )
    if role.subports:
        yield Problem(
            field=f"roles.{position}.subports",
            reason="a virtual function has one VLAN, set by the adapter: nothing splits a trunk's tags behind it",
            remedy="leave vnic_type out here, or put the role on those networks directly",
        )
    for network in document.networks:
        is_private = network.network_class is NetworkClass.PRIVATE
        if network.name in role.networks and is_private and network.segmentation != "vlan":
            yield Problem(
                field=f"roles.{position}.vnic_type",
                reason=f"direct ports go on VLANs, and '{network.name}' is of segmentation '{network.segmentation}'",
                remedy=f"write segmentation: vlan for '{network.name}'",
            )


def roles(document: Workspace, site: Site) -> Iterator[Problem]:
    """Stateless roles, Kubernetes APIs and gateways: whom they may hear (rows L3, L26, D4)."""
    for position, role in enumerate(document.roles):
        entrance = f"site:{site.ingress_endpoint}"
        if role.stateless and any((each.from_, each.to) == (entrance, role.name) for each in document.flows):
            yield Problem(
                field=f"roles.{position}.stateless",
                reason="people log in to this role, and a stateless one is open to connections from where its replies come",
                remedy="leave stateless out here, and have people log in to another role",
            )
        for index, name in enumerate(role.tunnels):
            if name not in site.tunnels:
                yield Problem(
                    field=f"roles.{position}.tunnels.{index}",
                    reason=f"the site file names no tunnel '{name}'",
                    remedy=f"use one of: {', '.join(sorted(site.tunnels)) or 'none is declared'}",
                )
        if role.kubernetes_api and site.api_proxy_endpoint is None:
            yield Problem(
                field=f"roles.{position}.kubernetes_api",
                reason="the site file names no API proxy, and nothing else outside may reach a Kubernetes API (row L26)",
                remedy="have api_proxy_endpoint set in the site file",
            )
    for position, flow in enumerate(document.flows):
        target = document.role(flow.to)
        if target is None or not target.kubernetes_api or ":" not in flow.from_ or not reaches_api(flow):
            continue
        if flow.from_ != f"site:{site.api_proxy_endpoint}":
            yield Problem(
                field=f"flows.{position}",
                reason=f"tcp/{KUBERNETES_API_PORT} of '{target.name}' is reached through the API proxy alone (row L26)",
                remedy=f"leave {KUBERNETES_API_PORT} out of the flow; the way from the proxy is open without one",
            )


def reaches_api(flow: Flow) -> bool:
    """Whether the flow permits the Kubernetes API's port."""
    if flow.protocol == "any":
        return True
    return flow.protocol == "tcp" and any(low <= KUBERNETES_API_PORT <= high for low, high in flow.port_ranges())


def far_ends(document: Workspace, site: Site) -> Iterator[Problem]:
    """By prefix, a rule permits whoever is on the network: so each role that flows name needs networks of its own."""
    if site.far_end_kind != "prefix":
        return
    inside = [flow for flow in document.flows if ":" not in flow.from_ and ":" not in flow.to]
    for name in dict.fromkeys(end for flow in inside for end in (flow.from_, flow.to) if end != "self"):
        role = document.role(name)
        for network in document.networks if role is not None else ():
            if role is None or network.name not in role.all_networks:
                continue
            others = [each.name for each in document.roles if each.name != name and network.name in each.all_networks]
            if others or network.network_class is not NetworkClass.PRIVATE:
                who = f"role '{others[0]}'" if others else "other workspaces"
                yield Problem(
                    field=f"roles.{document.roles.index(role)}.networks",
                    reason=f"this site's rules name roles by their networks' prefixes, and '{network.name}' also has {who}",
                    remedy=f"give '{name}' a private network of its own",
                )
