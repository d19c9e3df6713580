"""A twin with as much in it as a cloud of 713 VMs and 100 projects has (row L25), put in without asking its APIs."""

from typing import Any

from twin.core.caller import Caller
from twin.keystone.projects import add_project
from twin.testing import RunningTwin

PROJECTS = 100
SERVERS = 713
RULES_OF_A_GROUP = 20


def crowd(twin: RunningTwin, *, projects: int = PROJECTS, servers: int = SERVERS) -> list[str]:
    """Projects with a network, a router and two groups each, and servers in turn. Returns the projects' ids."""
    cloud = twin._application.cloud
    neutron = cloud.neutron
    admin = Caller(roles=("admin", "member", "reader"), project_name="admin")
    public = next(row for row in neutron.networks.table if row["router:external"])
    made: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = []
    for number in range(projects):
        project = add_project(cloud.keystone, f"tre-{number:03}")["id"]
        caller = Caller(project_id=project, project_name=f"tre-{number:03}", roles=("admin", "member", "reader"))
        network = neutron.networks.make({"name": f"net-{number:03}", "project_id": project}, caller)
        neutron.subnets.make(
            {"network_id": network["id"], "ip_version": 4, "cidr": f"10.{number % 250}.0.0/16", "project_id": project},
            caller,
        )
        groups = [
            neutron.groups.make({"name": f"{role}-{number:03}", "project_id": project}, caller)
            for role in ("login", "compute")
        ]
        for group in groups:
            for position in range(RULES_OF_A_GROUP):
                rule = {
                    "security_group_id": group["id"],
                    "project_id": project,
                    "direction": "ingress" if position % 2 else "egress",
                    "protocol": "tcp",
                    "port_range_min": 1000 + 13 * position,
                    "port_range_max": 1000 + 13 * position + position % 4,
                    "remote_ip_prefix": f"10.{(number + position) % 120}.{position}.0/24",
                }
                neutron.rules.make(rule, admin)
        router = neutron.routers.make(
            {
                "name": f"router-{number:03}",
                "project_id": project,
                "external_gateway_info": {"network_id": public["id"]},
            },
            caller,
        )
        neutron.ports.make(
            {
                "network_id": network["id"],
                "device_owner": "network:router_interface",
                "device_id": router["id"],
                "project_id": project,
            },
            admin,
        )
        made.append((project, network, groups))
    for number in range(servers):
        project, network, groups = made[number % projects]
        neutron.ports.make(
            {
                "name": f"vm-{number:03}",
                "network_id": network["id"],
                "project_id": project,
                "security_groups": [groups[number // projects % 2]["id"]],
                "device_owner": "compute:nova",
                "device_id": f"server-{number:03}",
            },
            admin,
        )
    return [project for project, _, _ in made]
