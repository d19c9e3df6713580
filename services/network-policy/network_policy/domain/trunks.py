"""Whose a subport is: its packets are those of the server behind the trunk's parent, whatever project the port is in.

So a subport of one project on the trunk of another's server is the other's port on this one's network: what its groups
let pass is between the two projects, and no document of the first speaks for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from network_policy.domain.world import Port, Trunk, World


def servers_projects(trunks: Iterable[Trunk], ports: Mapping[str, Port]) -> dict[str, str]:
    """By subport: the project of the trunk's parent, or the trunk's own where the parent can't be seen."""
    return {
        subport_id: parent.project_id if (parent := ports.get(trunk.port_id)) else trunk.project_id
        for trunk in trunks
        for subport_id in trunk.subport_ids
    }


def as_carried(world: World) -> World:
    """The world with each subport in the project of its server."""
    if not world.trunks:
        return world
    projects = servers_projects(world.trunks, {port.id: port for port in world.ports})
    return replace(world, ports=tuple(port_of_server(port, projects) for port in world.ports))


def port_of_server(port: Port, projects: Mapping[str, str]) -> Port:
    """The port in the project of its server."""
    project_id = projects.get(port.id, port.project_id)
    return port if project_id == port.project_id else replace(port, project_id=project_id)
