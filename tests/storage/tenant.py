"""The cloud under test, seen past the service: what really is in a workspace's project."""

import secrets
import time
from dataclasses import dataclass
from typing import Any

from contracts.examples import DOCUMENT
from contracts.network_policy import PolicyEnforced
from contracts.provisioner import WorkspaceDeclared, WorkspaceDeleting, WorkspaceEmptied
from contracts.workspace import Workspace
from tests.place import Place

MANILA = "2.45"


@dataclass
class Tenant:
    """A workspace of the tests with a project of its own, and the events that others would tell of it."""

    name: str
    place: Place
    project_id: str

    @classmethod
    def fresh(cls, place: Place) -> "Tenant":
        name = f"sto-{secrets.token_hex(3)}"
        project = place.admin.identity.create_project(name=f"tre-{name}", domain_id="default")
        return cls(name, place, project.id)

    def document(self, **storage: Any) -> Workspace:
        """A login node and two compute nodes, with this storage."""
        roles = [
            {"name": "login", "count": 1, "flavor": "tre.small", "image": "tiny", "networks": ["cluster"]},
            {"name": "compute", "count": 2, "flavor": "tre.small", "image": "tiny", "networks": ["cluster"]},
        ]
        return Workspace.model_validate(
            {**DOCUMENT, "name": self.name, "roles": roles, "flows": [], "storage": storage}
        )

    def declared(self, generation: int, **storage: Any) -> WorkspaceDeclared:
        return WorkspaceDeclared(
            workspace=self.name, generation=generation, project_id=self.project_id, document=self.document(**storage)
        )

    def enforced(self, generation: int) -> PolicyEnforced:
        return PolicyEnforced(
            workspace=self.name,
            generation=generation,
            project_id=self.project_id,
            groups={},
            rules=0,
            proof="sha256:" + "0" * 64,
            assumptions=(),
        )

    def deleting(self, generation: int) -> WorkspaceDeleting:
        return WorkspaceDeleting(workspace=self.name, generation=generation, project_id=self.project_id)

    def emptied(self, generation: int) -> WorkspaceEmptied:
        return WorkspaceEmptied(workspace=self.name, generation=generation, project_id=self.project_id)

    def _manila(self, method: str, path: str, **body: Any) -> Any:
        answer = self.place.admin.shared_file_system.request(path, method, microversion=MANILA, **body)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def give_room(self, count: int) -> None:
        """Let the project have that many shares and volumes, and as many GiB."""
        limits = {"shares": count, "gigabytes": count}
        self._manila("PUT", f"/quota-sets/{self.project_id}", json={"quota_set": limits})
        self.place.admin.block_storage.update_quota_set(self.project_id, volumes=count, gigabytes=count)

    def shares(self) -> list[dict[str, Any]]:
        """The project's shares, by name."""
        listed = self._manila("GET", f"/shares/detail?all_tenants=1&project_id={self.project_id}")["shares"]
        return sorted(listed, key=lambda share: str(share["name"]))

    def rules(self, share_id: str) -> list[dict[str, Any]]:
        """The share's access rules, with their keys."""
        return list(self._manila("GET", f"/share-access-rules?share_id={share_id}")["access_list"])

    def access(self, share_id: str) -> set[str]:
        """Who may use the share, and how."""
        return {f"{rule['access_type']}:{rule['access_to']} {rule['access_level']}" for rule in self.rules(share_id)}

    def allow(self, share_id: str, to: str, level: str = "rw") -> None:
        asked = {"access_type": "cephx", "access_to": to, "access_level": level}
        self._manila("POST", f"/shares/{share_id}/action", json={"allow_access": asked})

    def deny(self, share_id: str, to: str) -> None:
        rule_id = next(rule["id"] for rule in self.rules(share_id) if rule["access_to"] == to)
        self._manila("POST", f"/shares/{share_id}/action", json={"deny_access": {"access_id": rule_id}})

    def delete_share(self, share_id: str) -> None:
        self._manila("DELETE", f"/shares/{share_id}")

    def volumes(self) -> list[Any]:
        """The project's volumes, by name."""
        listed = self.place.admin.block_storage.volumes(details=True, all_projects=True, project_id=self.project_id)
        return sorted(listed, key=lambda volume: str(volume.name))

    def clear(self) -> None:
        """Remove whatever is left, as an administrator."""
        for _ in range(100):
            shares, volumes = self.shares(), self.volumes()
            if not shares and not volumes:
                break
            for share in shares:
                if share["status"] in ("available", "error"):
                    self.delete_share(share["id"])
            for volume in volumes:
                if volume.status in ("available", "error"):
                    self.place.admin.block_storage.delete_volume(volume.id, ignore_missing=True)
            time.sleep(0.3)
        self.place.admin.identity.delete_project(self.project_id, ignore_missing=True)
