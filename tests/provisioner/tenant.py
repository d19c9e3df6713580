"""The cloud under test, seen past the service: what really is in a workspace's project."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from tests.place import Place


@dataclass
class Tenant:
    """A workspace of the tests, by its name."""

    name: str
    place: Place
    network: int
    project_ids: set[str] = field(default_factory=set)

    @classmethod
    def fresh(cls, place: Place) -> "Tenant":
        """One whose name and prefix nobody else has."""
        return cls(f"prv-{secrets.token_hex(3)}", place, secrets.randbelow(250))

    def document(self, **changed: Any) -> Workspace:
        """A login node and two compute nodes on one network."""
        made: dict[str, Any] = {
            **DOCUMENT,
            "name": self.name,
            "networks": [{"name": "cluster", "cidr": f"10.{self.network}.0.0/24"}],
            "roles": [role(name="login"), role(name="compute", count=2)],
            "flows": [],
            "storage": {},
        }
        return Workspace.model_validate({**made, **changed})

    @property
    def project_id(self) -> str | None:
        found = next(iter(self.place.admin.identity.projects(name=f"tre-{self.name}")), None)
        if found is not None:
            self.project_ids.add(found.id)
        return None if found is None else str(found.id)

    def servers(self) -> list[Any]:
        return [
            each
            for pid in self._projects()
            for each in self.place.admin.compute.servers(all_projects=True, project_id=pid)
        ]

    def ports(self) -> list[Any]:
        """Without Neutron's own."""
        return [
            port
            for pid in self._projects()
            for port in self.place.admin.network.ports(project_id=pid)
            if not (port.device_owner or "").startswith("network:")
        ]

    def networks(self) -> list[Any]:
        return [each for pid in self._projects() for each in self.place.admin.network.networks(project_id=pid)]

    def routers(self) -> list[Any]:
        return [each for pid in self._projects() for each in self.place.admin.network.routers(project_id=pid)]

    def _projects(self) -> set[str]:
        _ = self.project_id
        return self.project_ids

    def clear(self) -> None:
        """Remove whatever is left, as an administrator."""
        network = self.place.admin.network
        for server in self.servers():
            self.place.admin.compute.delete_server(server.id, ignore_missing=True)
        for _ in range(100):
            if not self.servers():
                break
            time.sleep(0.3)
        for port in self.ports():
            network.delete_port(port.id)
        for router in self.routers():
            for port in network.ports(device_id=router.id):
                if port.device_owner == "network:router_interface":
                    network.remove_interface_from_router(router.id, port=port.id)
            network.delete_router(router.id)
        for each in self.networks():
            network.delete_network(each.id)
        for group in network.security_groups():  # listed without a filter: with one Neutron makes a default group anew
            if group.project_id in self.project_ids:
                network.delete_security_group(group.id)
        for project_id in self.project_ids:
            self.place.admin.identity.delete_project(project_id, ignore_missing=True)


def role(**changed: Any) -> dict[str, Any]:
    """A role of small nodes."""
    return {"count": 1, "flavor": "tre.small", "image": "tiny", "networks": ["cluster"], **changed}
