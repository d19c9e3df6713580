"""The provisioner's part, played by the test: a project, networks, ports, and what it tells of them."""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from contracts.examples import DOCUMENT
from contracts.network_policy import PolicyEnforced
from contracts.provisioner import (
    NetworkReady,
    NodeActive,
    ReadyNetwork,
    WorkspaceDeclared,
    WorkspaceDeleting,
    WorkspaceEmptied,
)
from contracts.workspace import NetworkClass, Workspace
from network_policy.handlers import handlers
from network_policy.main import make_context
from network_policy.settings import Settings
from shared.service import Service
from shared.testing import Site

T = TypeVar("T")

Sdk = Any
"""An openstacksdk connection; its own types are unions that a test would have to cast at each call."""


class Stage:
    """One workspace."""

    def __init__(self, site: Site, clouds_file: Path) -> None:
        self.site = site
        self.clouds_file = clouds_file
        self.name = f"net-{secrets.token_hex(3)}"
        self.subnet = secrets.randbelow(250)
        config = OpenStackConfig(config_files=[str(clouds_file)], load_envvars=False)
        self.admin: Sdk = Connection(config=config.get_one(cloud="lab"))
        self.project = ""
        self.network = ""
        self.subnet_id = ""
        self.generation = 1
        self.running: Service[Any] | None = None

    async def service(self, **settings: Any) -> Service[Any]:
        """Start network-policy."""
        more = {"cloud_name": "tresor-network-policy", "clouds_path": self.clouds_file, **settings}
        self.running = await self.site.start(handlers, make_context, Settings, **more)
        return self.running

    async def listening(self) -> None:
        """Until Neutron's notifications are heard: its exchange appears with the first of them."""
        firehose = self.running.firehose if self.running else None
        async with asyncio.timeout(20):
            while firehose is not None and "neutron" not in firehose.bound:  # it has no event for it
                await asyncio.sleep(0.1)

    async def cloud(self, fn: Callable[[Sdk], T]) -> T:
        """Do something in the cloud as its administrator, behind Tresor's back."""
        return await asyncio.to_thread(fn, self.admin)

    def document(self, **changed: Any) -> Workspace:
        networks = [{"name": "cluster", "class": "private", "cidr": f"10.{self.subnet}.0.0/24"}]
        made = {**DOCUMENT, "name": self.name, "networks": networks, "storage": {}, **changed}
        return Workspace.model_validate(made)

    async def build(self) -> None:
        """The project with its network, as the provisioner makes them."""

        def make(c: Sdk) -> tuple[str, str, str]:
            project = c.identity.create_project(name=f"tre-{self.name}", domain_id="default")
            network = c.network.create_network(name=f"{self.name}-cluster", project_id=project.id)
            subnet = c.network.create_subnet(
                network_id=network.id, project_id=project.id, cidr=f"10.{self.subnet}.0.0/24", ip_version=4
            )
            public = c.network.find_network("public")
            router = c.network.create_router(
                name=f"{self.name}-router", project_id=project.id, external_gateway_info={"network_id": public.id}
            )
            c.network.add_interface_to_router(router, subnet_id=subnet.id)
            return project.id, network.id, subnet.id

        self.project, self.network, self.subnet_id = await self.cloud(make)

    async def declare(self, document: Workspace | None = None) -> None:
        """Tell that the workspace is declared and its network ready."""
        document = document or self.document()
        await self.site.tell(
            WorkspaceDeclared(
                workspace=self.name, generation=self.generation, project_id=self.project, document=document
            )
        )
        ready = ReadyNetwork(
            name="cluster", network_class=NetworkClass.PRIVATE, network_id=self.network,
            subnet_ids=(self.subnet_id,), prefixes=(f"10.{self.subnet}.0.0/24",),
        )  # fmt: skip
        await self.site.tell(
            NetworkReady(workspace=self.name, generation=self.generation, project_id=self.project, networks=(ready,))
        )

    async def enforced(self) -> PolicyEnforced:
        """Until the policy of this generation stands."""
        return await self.site.tap.until(
            PolicyEnforced, workspace=self.name, where=lambda event: event.generation == self.generation
        )

    async def scanned(self) -> None:
        """Until the full scan has ended that comes with the first enforcement, so that it finds nothing for the test."""
        assert self.running is not None
        async with asyncio.timeout(20):
            while not await self.running.pool.fetchval("SELECT EXISTS (SELECT FROM observed_span)"):
                await asyncio.sleep(0.05)

    async def node(self, role: str, number: int, groups: dict[str, str]) -> str:
        """A node's port in its group, told as active. Returns the port's id."""
        name = f"{self.name}-{role}-{number}"

        def make(c: Sdk) -> tuple[str, str]:
            port = c.network.create_port(
                name=name, project_id=self.project, network_id=self.network, security_groups=[groups[role]],
                device_owner="compute:nova", device_id=f"server-of-{name}",
            )  # fmt: skip
            return str(port.id), str(port.fixed_ips[0]["ip_address"])

        port_id, address = await self.cloud(make)
        await self.site.tell(
            NodeActive(
                workspace=self.name, generation=self.generation, node=name, role=role,
                server_id=f"server-of-{name}", port_ids=(port_id,), addresses=(address,),
            )
        )  # fmt: skip
        return port_id

    async def standing(self) -> tuple[dict[str, str], dict[str, str]]:
        """A whole workspace, enforced, with a login and two compute nodes. Returns groups and ports by name."""
        await self.build()
        await self.declare()
        groups = (await self.enforced()).groups
        await self.scanned()
        await self.listening()
        ports = {
            f"{role}-{n}": await self.node(role, n, groups)
            for role, n in (("login", 0), ("compute", 0), ("compute", 1))
        }
        return groups, ports

    async def rules(self, group_id: str) -> list[Any]:
        """The rules of a group, as Neutron has them."""
        return await self.cloud(lambda c: list(c.network.security_group_rules(security_group_id=group_id)))

    async def open_ssh(self, group_id: str, prefix: str = "0.0.0.0/0") -> str:
        """Somebody opens SSH behind Tresor's back. Returns the rule's id."""
        rule = await self.cloud(
            lambda c: c.network.create_security_group_rule(
                security_group_id=group_id, direction="ingress", ethertype="IPv4", protocol="tcp",
                port_range_min=22, port_range_max=22, remote_ip_prefix=prefix,
            )
        )  # fmt: skip
        return str(rule.id)

    async def delete(self) -> None:
        """Delete the ports and tell that the workspace is empty."""
        self.generation += 1
        told = {"workspace": self.name, "generation": self.generation, "project_id": self.project}
        await self.site.tell(WorkspaceDeleting.model_validate(told))
        await self.cloud(self._delete_ports)
        await self.site.tell(WorkspaceEmptied.model_validate(told))

    def _delete_ports(self, c: Sdk) -> None:
        for port in c.network.ports(project_id=self.project):
            if not (port.device_owner or "").startswith("network:"):
                c.network.delete_port(port)

    async def clear(self) -> None:
        """Leave nothing in the cloud."""
        if not self.project:
            return

        def remove(c: Sdk) -> None:
            self._delete_ports(c)
            for router in c.network.routers(project_id=self.project):
                c.network.remove_interface_from_router(router, subnet_id=self.subnet_id)
                c.network.delete_router(router)
            for subnet in c.network.subnets(network_id=self.network):
                c.network.delete_subnet(subnet)
            c.network.delete_network(self.network)
            for group in sorted(c.network.security_groups(project_id=self.project), key=lambda g: g.name == "default"):
                c.network.delete_security_group(group)
            c.identity.delete_project(self.project)

        await self.cloud(remove)
