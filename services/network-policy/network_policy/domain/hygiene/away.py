"""Ports in quarantine belong to the groups of their roles all the same: a release puts them back there."""

from collections.abc import Mapping

from network_policy.domain.confinement import QUARANTINE
from network_policy.domain.names import group_name, role_of_group, role_of_node
from network_policy.domain.world import Port, World

_PREFIX = group_name("", QUARANTINE).removesuffix(QUARANTINE)


def ports_away(world: World, port_roles: Mapping[str, str]) -> dict[str, list[Port]]:
    """By group of a role: the ports that are in the quarantine's group of its workspace instead.

    `port_roles`: as recorded; of others the port's name says it, and what says nothing may be of any role. Groups are
    known by their names, as an audit has nothing else: no more hangs on it than what is said of an empty group.
    """
    quarantines = {
        group.id: (group.project_id, group.name.removeprefix(_PREFIX).removesuffix(QUARANTINE))
        for group in world.groups
        if group.name.startswith(_PREFIX) and group.name.endswith(QUARANTINE)
    }
    held: dict[str, dict[str, list[Port]]] = {}
    for port in world.ports if quarantines else ():
        for group_id in port.group_ids:
            if group_id in quarantines:
                project_id, workspace = quarantines[group_id]
                held.setdefault(project_id, {}).setdefault(workspace, []).append(port)
    roles: dict[str, dict[str, str]] = {}
    for group in world.groups if held else ():
        for workspace in held.get(group.project_id, ()):
            if role := role_of_group(workspace, group.name):
                roles.setdefault(workspace, {})[group.id] = role
    away: dict[str, list[Port]] = {}
    for workspace, ports in ((name, ports) for each in held.values() for name, ports in each.items()):
        known = roles.get(workspace, {})
        for port in ports:
            own = port_roles.get(port.id) or role_of_node(workspace, frozenset(known.values()), port.name)
            for group_id, role in known.items():
                if own in (role, None):
                    away.setdefault(group_id, []).append(port)
    return away
