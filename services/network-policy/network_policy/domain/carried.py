"""Whose a port is to the proof: its packets are those of the server behind it, whatever project the port is in.

A subport is the server's that has its trunk's parent. A port that is plugged into a server which a workspace recorded as
its node is that workspace's. What its groups let pass is between the two projects, and no document of the port's own
project speaks for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from network_policy.domain.filters import Claim
from network_policy.domain.world import Port, Trunk, World


def projects_of_servers(claims: Iterable[Claim]) -> dict[str, str]:
    """By server that a workspace recorded: its project."""
    found: dict[str, str] = {}
    for claim in sorted(claims, key=lambda each: each.workspace):
        for server_id in claim.server_ids:
            found.setdefault(server_id, claim.project_id)
    return found


def projects_of_subports(
    trunks: Iterable[Trunk], ports: Mapping[str, Port], servers: Mapping[str, str]
) -> dict[str, str]:
    """By subport: the project of the trunk's parent, or the trunk's own where the parent can't be seen."""
    return {
        subport_id: project_of(parent, servers) if (parent := ports.get(trunk.port_id)) else trunk.project_id
        for trunk in trunks
        for subport_id in trunk.subport_ids
    }


def project_of(port: Port, servers: Mapping[str, str]) -> str:
    """The project of the server that the port is plugged into, where it is known, else its own.

    Whoever owns a port may write any server's id on it: only a port that a host is told of counts, as none but
    administrators and Nova can say so, and Nova plugs no port of another project.
    """
    return servers.get(port.device_id, port.project_id) if port.is_bound else port.project_id


def port_of_server(port: Port, subports: Mapping[str, str], servers: Mapping[str, str]) -> Port:
    """The port in the project of its server."""
    project_id = subports.get(port.id) or project_of(port, servers)
    return port if project_id == port.project_id else replace(port, project_id=project_id)


def as_carried(world: World, servers: Mapping[str, str]) -> World:
    """The world with each port in the project of its server. `servers`: the projects of those that are known, by id."""
    if not world.trunks and not servers:
        return world
    subports = projects_of_subports(world.trunks, {port.id: port for port in world.ports}, servers)
    return replace(world, ports=tuple(port_of_server(port, subports, servers) for port in world.ports))
