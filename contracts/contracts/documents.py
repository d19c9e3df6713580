"""What makes a workspace document whole: the rules that need more than one field, and those that need the site."""

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from contracts import network_problems
from contracts.envelope import Problem
from contracts.site import Site
from contracts.workspace import (
    ALLOWED_NETWORK_CLASSES,
    KUBERNETES_API_PORT,
    MAX_NODES,
    Flow,
    Network,
    NetworkClass,
    Workspace,
)

RESERVED_NAMES = frozenset({"site"})
"""The aggregate of messages that are about no workspace."""
MAX_NODE_NAME_CHARACTERS = 40
"""A node's name is an `Identifier` in messages, and a host name in the guest."""


def problems(document: Workspace, site: Site) -> tuple[Problem, ...]:
    """Everything wrong with the document at this site that can be told without asking the cloud."""
    rules = (
        _name,
        _unique_names,
        _networks,
        _roles,
        _node_names,
        _flows,
        network_problems.zones,
        network_problems.ports,
        network_problems.roles,
        network_problems.far_ends,
        _storage,
        _burst,
        _quotas,
    )
    return tuple(found for rule in rules for found in rule(document, site))


def _name(document: Workspace, _: Site) -> Iterator[Problem]:
    if document.name in RESERVED_NAMES:
        yield Problem(
            field="name",
            reason=f"'{document.name}' stands for what belongs to no workspace",
            remedy="choose another name",
        )


def _unique_names(document: Workspace, _: Site) -> Iterator[Problem]:
    for field, names in (
        ("networks", [network.name for network in document.networks]),
        ("roles", [role.name for role in document.roles]),
        ("storage.shares", [share.name for share in document.storage.shares]),
        ("storage.volumes", [volume.name for volume in document.storage.volumes]),
    ):
        for position, name in enumerate(names):
            if name in names[:position]:
                yield Problem(field=f"{field}.{position}.name", reason=f"'{name}' is taken by another of the {field}")


def _prefixes(network: Network) -> list[IPv4Network | IPv6Network]:
    return [ip_network(prefix) for prefix in (network.cidr, network.cidr6) if prefix]


def _networks(document: Workspace, site: Site) -> Iterator[Problem]:
    taken = network_problems.reserved(site)
    allowed = ALLOWED_NETWORK_CLASSES[document.sensitivity]
    for position, network in enumerate(document.networks):
        if network.network_class not in allowed:
            yield Problem(
                field=f"networks.{position}.class",
                reason=f"a {document.sensitivity} workspace may not sit on a {network.network_class} network",
                remedy=f"use one of: {', '.join(sorted(allowed))}",
            )
        if network.network_class is not NetworkClass.PRIVATE and network.name not in site.networks:
            yield Problem(
                field=f"networks.{position}.name",
                reason=f"the site file names no {network.network_class} network '{network.name}'",
                remedy=f"use one of: {', '.join(sorted(site.networks)) or 'none is declared'}",
            )
        for prefix in _prefixes(network):
            for what, other in taken:
                if prefix.version == other.version and prefix.overlaps(other):
                    yield Problem(
                        field=f"networks.{position}.{'cidr' if prefix.version == 4 else 'cidr6'}",
                        reason=f"{prefix} overlaps {what}",
                        remedy="choose a free prefix",
                    )
            taken.append((f"network '{network.name}' ({prefix})", prefix))


def _roles(document: Workspace, _: Site) -> Iterator[Problem]:
    networks = {network.name for network in document.networks}
    for position, role in enumerate(document.roles):
        for index, name in enumerate(role.networks):
            if name not in networks:
                yield Problem(
                    field=f"roles.{position}.networks.{index}",
                    reason=f"no network '{name}' in this document",
                    remedy=f"declare it, or use one of: {', '.join(sorted(networks))}",
                )
    for network in document.networks:
        nodes = sum(role.count for role in document.roles if network.name in role.all_networks)
        usable = ip_network(network.cidr).num_addresses - 5
        if nodes > usable:
            yield Problem(
                field="networks",
                reason=f"{nodes} nodes do not fit into {network.cidr} of '{network.name}' ({usable} usable addresses)",
                remedy="take a wider prefix or fewer nodes",
            )
    if (total := sum(role.count for role in document.roles)) > MAX_NODES:
        yield Problem(field="roles", reason=f"{total} nodes; a workspace has at most {MAX_NODES}")


def _node_names(document: Workspace, _: Site) -> Iterator[Problem]:
    """`<workspace>-<role>-<n>` must fit, and name one thing: role `a` and role `a-0-b` can make the same port name."""
    taken: dict[str, str] = {}
    for position, role in enumerate(document.roles):
        longest = f"{document.name}-{role.name}-{max(role.count - 1, 0)}"
        if len(longest) > MAX_NODE_NAME_CHARACTERS:
            yield Problem(
                field=f"roles.{position}.name",
                reason=f"the node name '{longest}' has more than {MAX_NODE_NAME_CHARACTERS} characters",
                remedy="shorten the role's or the workspace's name",
            )
        for name in (
            f"{role.name}-{index}-{network}" if len(role.all_networks) > 1 else f"{role.name}-{index}"
            for index in range(role.count)
            for network in role.all_networks
        ):
            if taken.setdefault(name, role.name) != role.name:
                yield Problem(
                    field=f"roles.{position}.name",
                    reason=f"roles '{taken[name]}' and '{role.name}' would both have a port '{document.name}-{name}'",
                    remedy="rename one of them",
                )
                break


def _quotas(document: Workspace, _: Site) -> Iterator[Problem]:
    """Bounds that can be held against the document itself; cores and memory need the flavors."""
    burst = document.burst.max_nodes if document.burst is not None else 0
    counts = {role.name: role.count for role in document.roles}
    needs = {
        "instances": sum(counts.values()) + burst,
        "volumes_gib": sum(volume.size_gib * counts.get(volume.role, 0) for volume in document.storage.volumes),
        "shares_gib": sum(share.size_gib for share in document.storage.shares),
    }
    for name, need in needs.items():
        bound = getattr(document.quotas, name)
        if bound is not None and bound < need:
            yield Problem(
                field=f"quotas.{name}",
                reason=f"the document needs {need} {name.removesuffix('_gib')}{' GiB' if '_gib' in name else ''}, "
                f"the quota is {bound}",
                remedy=f"raise it to at least {need}, or ask for less",
            )


def _flows(document: Workspace, site: Site) -> Iterator[Problem]:
    roles = {role.name for role in document.roles}
    for position, flow in enumerate(document.flows):
        for end, name in (("from", flow.from_), ("to", flow.to)):
            kind, colon, rest = name.partition(":")
            if not colon:
                if name not in roles and not (end == "to" and name == "self" and flow.from_ in roles):
                    yield Problem(
                        field=f"flows.{position}.{end}",
                        reason=f"no role '{name}' in this document",
                        remedy=f"use one of: {', '.join(sorted(roles))}, site:<endpoint> or zone:<zone>",
                    )
            elif site.place(name) is None:
                known = sorted(site.endpoints if kind == "site" else {*site.zones, *site.tunnels})
                yield Problem(
                    field=f"flows.{position}.{end}",
                    reason=f"the site file names no {'endpoint' if kind == 'site' else 'zone'} '{rest}'",
                    remedy=f"use one of: {', '.join(known) or 'none is declared'}",
                )
            elif (
                end == "from" and kind == "site" and rest != site.ingress_endpoint and not _is_api(flow, site, document)
            ):
                yield Problem(
                    field=f"flows.{position}.from",
                    reason=f"only site:{site.ingress_endpoint} may open connections to nodes (row L3)",
                    remedy=f"come in over site:{site.ingress_endpoint}, or turn the flow round",
                )


def _is_api(flow: Flow, site: Site, document: Workspace) -> bool:
    """Whether it is the way from the API proxy to a Kubernetes API, which is open without a flow as well (row L26)."""
    role = document.role(flow.to)
    is_api = role is not None and role.kubernetes_api and flow.from_ == f"site:{site.api_proxy_endpoint}"
    return is_api and (flow.protocol, flow.port_ranges()) == ("tcp", ((KUBERNETES_API_PORT, KUBERNETES_API_PORT),))


def _storage(document: Workspace, site: Site) -> Iterator[Problem]:
    roles = {role.name for role in document.roles}
    for position, share in enumerate(document.storage.shares):
        if share.protocol not in site.share_types:
            yield Problem(
                field=f"storage.shares.{position}.protocol",
                reason=f"{share.protocol} is not in the site's list of allowed backends",
                remedy=f"use one of: {', '.join(sorted(site.share_types))}",
            )
        for role in share.access:
            if role not in roles:
                yield Problem(
                    field=f"storage.shares.{position}.access.{role}", reason=f"no role '{role}' in this document"
                )
    for position, volume in enumerate(document.storage.volumes):
        if volume.role not in roles:
            yield Problem(field=f"storage.volumes.{position}.role", reason=f"no role '{volume.role}' in this document")


def _burst(document: Workspace, site: Site) -> Iterator[Problem]:
    if document.burst is None:
        return
    if document.role(document.burst.role) is None:
        yield Problem(field="burst.role", reason=f"no role '{document.burst.role}' in this document")
    if document.burst.provider not in site.burst_providers:
        yield Problem(
            field="burst.provider",
            reason=f"the site file names no burst provider '{document.burst.provider}'",
            remedy=f"use one of: {', '.join(sorted(site.burst_providers)) or 'none is declared'}",
        )
    elif document.sensitivity not in site.burst_providers[document.burst.provider].accepts:
        yield Problem(
            field="burst.provider",
            reason=f"{document.sensitivity} data may not go to '{document.burst.provider}'",
            remedy="take a provider that accepts it, or leave burst out",
        )
