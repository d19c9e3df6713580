"""What the cloud begins with: accounts, catalog, hosts, flavors, types, an image, the external network."""

from typing import TYPE_CHECKING

from twin.cinder.types import add_type as add_volume_type
from twin.core.caller import Caller
from twin.keystone.assignments import Assignment
from twin.keystone.directory import add_role, add_user
from twin.keystone.projects import add_project
from twin.manila.types import add_type as add_share_type
from twin.nova.flavors import add_flavor
from twin.nova.hosts import add_host
from twin.settings import SERVICE_USERS

if TYPE_CHECKING:
    from twin.cloud import Cloud

OPENSTACK_USERS = ("nova", "neutron", "cinder", "glance", "manila", "ironic", "placement")
"""Accounts of OpenStack's own services; they act, nobody logs in as them."""


def plant(cloud: "Cloud") -> None:
    """Fills an empty cloud."""
    admin = _accounts(cloud)
    for service in cloud.services:
        cloud.keystone.register(service)
    _compute(cloud)
    _storage(cloud, admin)
    _network(cloud, admin)


def _accounts(cloud: "Cloud") -> Caller:
    keystone = cloud.keystone
    keystone.domains.add(
        {
            "id": "default",
            "name": "Default",
            "description": "The default domain",
            "enabled": True,
            "tags": [],
            "options": {},
        }
    )
    roles = {
        name: add_role(keystone, name, options={"immutable": True})
        for name in ("reader", "member", "manager", "admin", "service")
    }
    admins = add_project(keystone, "admin", "Bootstrap project for initializing the cloud.")
    services = add_project(keystone, "service")
    admin = add_user(keystone, "admin", cloud.settings.admin_password)
    keystone.assignments.add(Assignment("user", admin["id"], "project", admins["id"], roles["admin"]["id"]))
    keystone.assignments.add(Assignment("user", admin["id"], "system", "all", roles["admin"]["id"]))
    for name in SERVICE_USERS:
        user = add_user(keystone, name, cloud.settings.service_password)
        keystone.assignments.add(Assignment("user", user["id"], "project", services["id"], roles["admin"]["id"]))
    for name in OPENSTACK_USERS:
        user = add_user(keystone, name, None)
        for role in ("service", "admin"):
            keystone.assignments.add(Assignment("user", user["id"], "project", services["id"], roles[role]["id"]))
    return Caller(
        user_id=admin["id"],
        user_name="admin",
        project_id=admins["id"],
        project_name="admin",
        roles=("admin", "member", "reader"),
    )


def _compute(cloud: "Cloud") -> None:
    nova = cloud.nova
    add_host(nova, "ctl", "control", "nova-scheduler")
    add_host(nova, "ctl", "control", "nova-conductor")
    for number in range(1, cloud.settings.hypervisors + 1):
        add_host(nova, f"hv{number}", "hypervisor")
    add_host(nova, "bm", "ironic")
    add_flavor(nova, {"name": "tre.small", "vcpus": 1, "ram": 512, "disk": 1})
    add_flavor(nova, {"name": "tre.large", "vcpus": 4, "ram": 4096, "disk": 10})
    specs = {
        "resources:CUSTOM_BAREMETAL": "1",
        "resources:VCPU": "0",
        "resources:MEMORY_MB": "0",
        "resources:DISK_GB": "0",
    }
    add_flavor(nova, {"name": "bm", "vcpus": 1, "ram": 512, "disk": 1, "extra_specs": specs})


def _storage(cloud: "Cloud", admin: Caller) -> None:
    image = cloud.glance.add("tiny", admin, "public", disk_format="raw", container_format="bare")
    cloud.glance.upload(image, b"\0" * 65536)
    add_volume_type(cloud.cinder, "lab", None, {"volume_backend_name": "fake"})
    add_volume_type(cloud.cinder, "__DEFAULT__", "Default Volume Type", {})
    for name, backend in (("nfs", "labnfs"), ("cephfs", "labceph")):
        specs = {"driver_handles_share_servers": "False", "share_backend_name": backend, "snapshot_support": "True"}
        add_share_type(cloud.manila, name, specs)


def _network(cloud: "Cloud", admin: Caller) -> None:
    network = cloud.neutron.networks.make(
        {
            "name": "public",
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": "physnet1",
            "project_id": admin.project_id,
        },
        admin,
    )
    cloud.neutron.subnets.make(
        {
            "network_id": network["id"],
            "name": "public",
            "ip_version": 4,
            "cidr": "172.24.0.0/16",
            "gateway_ip": "172.24.0.1",
            "enable_dhcp": False,
            "project_id": admin.project_id,
        },
        admin,
    )
