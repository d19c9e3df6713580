"""What the suite's fixtures are made of: connections, a workspace's project, tidying up, waiting."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import openstack.exceptions
import pytest
from openstack.config import OpenStackConfig
from openstack.connection import Connection

Answer = TypeVar("Answer")

Sdk: TypeAlias = Any
"""An openstacksdk Connection. Its own types join two identity versions and many an optional, so that each call here
would need a cast; the tests say what they expect by asserting it."""

MANILA_MICROVERSION = "2.82"


@dataclass(frozen=True)
class Cloud:
    """Where the cloud under test is."""

    name: str
    clouds_file: Path
    bus_url: str

    def connect(self, entry: str) -> Sdk:
        """A connection by an entry of its clouds.yaml; the process's environment has no say."""
        config = OpenStackConfig(config_files=[str(self.clouds_file)], load_envvars=False)
        return Connection(config=config.get_one(cloud=entry))


def eventually(
    ask: Callable[[], Answer | None], timeout_seconds: float = 60.0, interval_seconds: float = 0.3
) -> Answer:
    """Asks until the answer is true. Raises AssertionError with the last answer."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_seconds:.0f} s; the last answer was {answer!r}")
        time.sleep(interval_seconds)


def body_of(refused: pytest.ExceptionInfo[openstack.exceptions.HttpException]) -> Any:
    """The JSON body of an error's answer."""
    answer: Any = refused.value.response
    return answer.json()


def neutron_error(refused: pytest.ExceptionInfo[openstack.exceptions.HttpException]) -> dict[str, str]:
    """Neutron's error: its type, a message for people, and a detail that is empty as a rule."""
    body: dict[str, str] = body_of(refused)["NeutronError"]
    assert body.keys() == {"type", "message", "detail"}
    return body


@dataclass
class Tidy:
    """Deletions to be done, last first. What is gone already is no error."""

    steps: list[tuple[Callable[..., object], tuple[Any, ...]]] = field(default_factory=list)

    def __call__(self, delete: Callable[..., object], *arguments: Any) -> None:
        """Remembers a deletion."""
        self.steps.append((delete, arguments))

    def run(self) -> None:
        """Does them."""
        for delete, arguments in reversed(self.steps):
            try:
                delete(*arguments)
            except openstack.exceptions.NotFoundException:
                continue


class Shares:
    """Manila at one microversion. openstacksdk's proxy lets each call choose its own; these facts are of one."""

    def __init__(self, connection: Sdk) -> None:
        self._proxy = connection.shared_file_system

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer to a request, whatever its status."""
        headers = {"X-OpenStack-Manila-API-Version": MANILA_MICROVERSION}
        return self._proxy.request(path, method, json=body, headers=headers, raise_exc=False)

    def get(self, share_id: str) -> dict[str, Any] | None:
        """A share, or None once it is gone."""
        answer = self.call("GET", f"/shares/{share_id}")
        if answer.status_code == 404:
            return None
        assert answer.status_code == 200, answer.text
        share: dict[str, Any] = answer.json()["share"]
        return share

    def create(self, name: str, protocol: str, kind: str, size_gib: int = 1) -> dict[str, Any]:
        """A new share, waited for until it is available."""
        body = {"share_proto": protocol, "size": size_gib, "name": name, "share_type": kind}
        answer = self.call("POST", "/shares", {"share": body})
        assert answer.status_code == 200, answer.text
        return self.wait_until_available(answer.json()["share"]["id"])

    def wait_until_available(self, share_id: str) -> dict[str, Any]:
        """The share once it is available."""

        def now() -> dict[str, Any] | None:
            share = self.get(share_id)
            return share if share and share["status"] == "available" else None

        return eventually(now)

    def delete(self, share_id: str) -> None:
        """Deletes a share and waits until it is gone."""
        self.call("DELETE", f"/shares/{share_id}")
        eventually(lambda: self.get(share_id) is None)


@dataclass(frozen=True)
class Workspace:
    """A project, and the provisioner's connection scoped to it."""

    name: str
    project_id: str
    connection: Sdk

    def empty(self, admin: Sdk) -> None:
        """Deletes everything in the project, in the order the cloud allows."""
        own = self.connection
        servers = list(own.compute.servers())
        for server in servers:
            own.compute.delete_server(server, ignore_missing=True)
        for server in servers:
            own.compute.wait_for_delete(server, interval=1, wait=60)
        for volume in list(own.block_storage.volumes()):
            if volume.status != "deleting":
                own.block_storage.delete_volume(volume, ignore_missing=True)
        eventually(lambda: not list(own.block_storage.volumes()))
        shares = Shares(own)
        for share in shares.call("GET", "/shares").json()["shares"]:
            shares.delete(share["id"])
        network = admin.network
        for router in list(network.routers(project_id=self.project_id)):
            for port in list(network.ports(device_id=router.id, device_owner="network:router_interface")):
                network.remove_interface_from_router(router, port_id=port.id)
            network.delete_router(router)
        for port in list(network.ports(project_id=self.project_id)):
            network.delete_port(port)
        for found in list(network.networks(project_id=self.project_id)):
            network.delete_network(found)
        # Rules may name each other's groups, and a group named by a rule of another one cannot be deleted before it.
        groups = list(network.security_groups(project_id=self.project_id))
        for rule in list(network.security_group_rules(project_id=self.project_id)):
            network.delete_security_group_rule(rule)
        for group in groups:
            network.delete_security_group(group)
        for addresses in list(network.address_groups(project_id=self.project_id)):
            network.delete_address_group(addresses)


def open_exchanges(admin: Sdk, system: Sdk) -> None:
    """Makes each service publish once, since its exchange exists only from then on; leaves nothing behind."""
    name = f"conf-open-{secrets.token_hex(4)}"
    admin.compute.delete_keypair(admin.compute.create_keypair(name=name))
    admin.image.delete_image(admin.image.create_image(name=name, disk_format="raw", container_format="bare"))
    volume = admin.block_storage.create_volume(name=name, size=1)
    admin.block_storage.wait_for_status(volume, "available", interval=0.5, wait=60)
    admin.block_storage.delete_volume(volume)
    system.baremetal.delete_node(system.baremetal.create_node(name=name, driver="fake-hardware"))
    group = admin.network.create_security_group(name=name)
    admin.network.delete_security_group(group)
