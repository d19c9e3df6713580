"""What things of a workspace are called in the cloud; the same name always means the same thing of one project."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.site import Site
from contracts.workspace import Network, NodeRole, Workspace

SITE_KEY = "site"
"""The reconcile key of what belongs to no workspace: the catalog."""


@dataclass(frozen=True)
class Node:
    """One declared node: the `position`-th of its role, counted from 0."""

    name: str
    role: str
    position: int


@dataclass(frozen=True)
class NodePort:
    """One declared port: a node on one of its networks."""

    name: str
    node: str
    role: str
    network: str
    vlan: int | None = None
    """The tag that the guest uses, where the port is a subport; None: an interface of its own."""


@dataclass(frozen=True)
class NodeTrunk:
    """One declared trunk: the port of a node's first network, carrying the ports of further ones (row C11)."""

    name: str
    parent: NodePort
    subports: tuple[NodePort, ...]


def project(site: Site, workspace: str) -> str:
    """The project's name."""
    return f"{site.project_prefix}{workspace}"


def mark(workspace: str) -> str:
    """The tag that all of a workspace's things carry; it helps to find them and grants nothing (CVE-2024-53916)."""
    return f"tresor:{workspace}"


def router(workspace: str) -> str:
    """The router's name."""
    return f"{workspace}-router"


def network(workspace: str, name: str) -> str:
    """A private network's name."""
    return f"{workspace}-{name}"


def subnet(workspace: str, name: str, version: int) -> str:
    """The name of a network's subnet of that IP version."""
    return f"{workspace}-{name}" if version == 4 else f"{workspace}-{name}-v{version}"


def node(workspace: str, role: str, position: int) -> str:
    """The name of a node and of its server."""
    return f"{workspace}-{role}-{position}"


def nodes(document: Workspace) -> Iterator[Node]:
    """Every node that the document declares, role by role."""
    for role in document.roles:
        for position in range(role.count):
            yield Node(node(document.name, role.name, position), role.name, position)


def ports_of(document: Workspace, role: NodeRole, name: str) -> Iterator[NodePort]:
    """The ports of the node of that name, in the order of its networks, subports last."""
    tags: list[int | None] = [*(None for _ in role.networks), *(each.vlan for each in role.subports)]
    for each, vlan in zip(role.all_networks, tags, strict=True):
        suffix = f"-{each}" if len(tags) > 1 else ""
        yield NodePort(f"{name}{suffix}", name, role.name, each, vlan)


def trunk_of(document: Workspace, role: NodeRole, name: str) -> NodeTrunk | None:
    """The trunk of the node of that name; None where its role has no subports."""
    declared = tuple(ports_of(document, role, name))
    subports = tuple(each for each in declared if each.vlan is not None)
    return NodeTrunk(f"{name}-trunk", declared[0], subports) if subports else None


def ports(document: Workspace) -> Iterator[NodePort]:
    """Every port that the document declares."""
    for each in nodes(document):
        role = document.role(each.role)
        if role is not None:
            yield from ports_of(document, role, each.name)


def is_routed(network: Network) -> bool:
    """Whether the workspace's own router serves it."""
    return network.routed and network.network_class == "private"
