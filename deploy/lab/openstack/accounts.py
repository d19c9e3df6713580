"""Makes the lab's accounts and catalogue in Keystone: OpenStack's services, their endpoints, Tresor's services.

Idempotent: what is there is left alone.
"""

import os
from typing import Any, TypeAlias

import openstack
from configuration.clients import TRESOR_USERS

Sdk: TypeAlias = Any
"""An openstacksdk Connection, whose own types join two identity versions and many an optional."""

SERVICES = (
    # user, type in the catalogue, port setting, path
    ("placement", "placement", "PLACEMENT", ""),
    ("glance", "image", "GLANCE", ""),
    ("nova", "compute", "NOVA", "/v2.1"),
    ("neutron", "network", "NEUTRON", ""),
    ("cinder", "block-storage", "CINDER", "/v3"),
    ("manila", "shared-file-system", "MANILA", "/v2"),
    ("ironic", "baremetal", "IRONIC", ""),
)


class Accounts:
    """Keystone as its first administrator sees it."""

    def __init__(self, cloud: Sdk, password: str) -> None:
        self.identity = cloud.identity
        self.password = password
        self.project = self.identity.find_project("service") or self.identity.create_project(
            name="service", domain_id="default"
        )
        known = {role.name: role for role in self.identity.roles()}
        self.roles = {
            name: known.get(name) or self.identity.create_role(name=name) for name in ("admin", "service", "manager")
        }

    def user(self, name: str, *roles: str, system_admin: bool = False) -> None:
        """An account with roles in the project `service` and, where asked, the role admin on the whole system."""
        user = self.identity.find_user(name, domain_id="default") or self.identity.create_user(
            name=name, password=self.password, domain_id="default"
        )
        for role in roles:
            self.identity.assign_project_role_to_user(self.project, user, self.roles[role])
        if system_admin:
            self.identity.assign_system_role_to_user(user, self.roles["admin"], "all")

    def endpoints(self, name: str, kind: str, url: str) -> None:
        """The service's entry in the catalogue, at one address for all three interfaces."""
        service = next(self.identity.services(type=kind), None) or self.identity.create_service(name=name, type=kind)
        there = {endpoint.interface for endpoint in self.identity.endpoints(service_id=service.id)}
        for interface in {"public", "internal", "admin"} - there:
            self.identity.create_endpoint(service_id=service.id, interface=interface, url=url, region_id="RegionOne")


def main() -> None:
    """All accounts, from the settings in the environment."""
    accounts = Accounts(openstack.connect(cloud="lab"), os.environ["LAB_PASSWORD"])
    for name, kind, port, path in SERVICES:
        accounts.user(name, "admin", "service", system_admin=name in ("ironic", "nova"))
        accounts.endpoints(name, kind, f"http://127.0.0.1:{os.environ[f'LAB_PORT_{port}']}{path}")
    for name in TRESOR_USERS:
        # Ironic's nodes belong to no project: the provisioner, who deploys them, asks with a system-scoped token.
        accounts.user(name, "admin", system_admin=name == "tresor-provisioner")


if __name__ == "__main__":
    main()
