"""Waits until every agent of the lab is up, then makes what a workspace is built from: flavors, an image, types, a network.

Idempotent. Ends with status 1 and a message that names what did not come up.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import openstack

Sdk: TypeAlias = Any
"""An openstacksdk Connection, whose own types join many an optional."""

MANILA_HEADERS = {"X-OpenStack-Manila-API-Version": "2.50"}
WAIT_SECONDS = 180.0
EXTERNAL_NETWORK = "public"


def wait(what: str, ready: Callable[[], object]) -> None:
    """Asks once a second until the answer is true. A service that still starts answers with all sorts of errors."""
    deadline = time.monotonic() + WAIT_SECONDS
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = ready()
        except Exception as error:
            last = error
        else:
            if last:
                return
        time.sleep(1)
    sys.exit(f"not ready after {WAIT_SECONDS:.0f} s: {what}: {last!r}")


def wait_for_agents(cloud: Sdk, system: Sdk, computes: int) -> None:
    """Every agent up, every compute node mapped to its cell."""

    def unmarked() -> bool:
        # An interrupted evacuation leaves its host marked down.
        for service in cloud.compute.services():
            if service.is_forced_down:
                cloud.compute.update_service_forced_down(service, forced=False)
        return True

    def up(services: Any) -> set[str]:
        return {service.binary for service in services if service.state == "up"}

    def manila_up() -> set[str]:
        answer: Any = cloud.shared_file_system.get("/services", headers=MANILA_HEADERS).json()
        return {service["binary"] for service in answer["services"] if service["state"] == "up"}

    wait("marks of hosts forced down", unmarked)
    wait(
        "nova-compute",
        lambda: (
            {f"hv{number}" for number in range(1, computes + 1)}
            <= {service.host for service in cloud.compute.services(binary="nova-compute") if service.state == "up"}
        ),
    )
    if sum(1 for _ in cloud.compute.hypervisors()) < computes:
        subprocess.run(
            ["nova-manage", "--config-file", f"{os.environ['LAB_ETC']}/nova/nova.conf", "cell_v2", "discover_hosts"],
            check=True,
            capture_output=True,
        )
    wait("hypervisors", lambda: sum(1 for _ in cloud.compute.hypervisors()) >= computes)
    wait("cinder", lambda: {"cinder-volume", "cinder-scheduler"} <= up(cloud.block_storage.services()))
    wait("manila", lambda: {"manila-share", "manila-scheduler"} <= manila_up())
    wait("ovn-controller", lambda: sum(1 for agent in cloud.network.agents() if agent.is_alive) >= computes)
    # A project-scoped administrator would get HTTP 500 here.
    wait("ironic", lambda: list(system.baremetal.drivers()))


def make_flavors_and_image(cloud: Sdk) -> None:
    """Two virtual flavors, one for bare metal, and an image of zeros: nothing here ever boots from it."""
    for name, vcpus, ram_mib, disk_gib in (("tre.small", 1, 512, 1), ("tre.large", 4, 4096, 10)):
        if not cloud.compute.find_flavor(name):
            cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram_mib, disk=disk_gib)
    if not cloud.compute.find_flavor("bm"):
        flavor = cloud.compute.create_flavor(name="bm", vcpus=1, ram=512, disk=1)
        # A node is asked for by its resource class and by nothing else.
        cloud.compute.create_flavor_extra_specs(
            flavor,
            {
                "resources:CUSTOM_BAREMETAL": "1",
                "resources:VCPU": "0",
                "resources:MEMORY_MB": "0",
                "resources:DISK_GB": "0",
            },
        )
    if not cloud.image.find_image("tiny"):
        cloud.image.create_image(
            name="tiny", data=bytes(65536), disk_format="raw", container_format="bare", visibility="public"
        )


def make_storage_types(cloud: Sdk) -> None:
    """A volume type, and a share type for each protocol."""
    if not cloud.block_storage.find_type("lab"):
        # Cinder's fake driver reports this name whatever its configuration says.
        cloud.block_storage.create_type(name="lab", extra_specs={"volume_backend_name": "fake"})
    shares = cloud.shared_file_system
    there = {kind["name"] for kind in shares.get("/types", headers=MANILA_HEADERS).json()["share_types"]}
    for name, backend in (("nfs", "labnfs"), ("cephfs", "labceph")):
        if name not in there:
            specs = {
                "driver_handles_share_servers": "False",
                "share_backend_name": backend,
                "snapshot_support": "True",
            }
            body = {"share_type": {"name": name, "extra_specs": specs}}
            shares.post("/types", json=body, headers=MANILA_HEADERS).raise_for_status()


def make_external_network(cloud: Sdk) -> None:
    """The provider's network that routers take their gateway from."""
    if not cloud.network.find_network(EXTERNAL_NETWORK):
        network = cloud.network.create_network(
            name=EXTERNAL_NETWORK,
            is_router_external=True,
            provider_network_type="flat",
            provider_physical_network="physnet1",
            is_shared=False,
        )
        cloud.network.create_subnet(
            network_id=network.id,
            name=EXTERNAL_NETWORK,
            ip_version=4,
            cidr="172.24.0.0/16",
            gateway_ip="172.24.0.1",
            is_dhcp_enabled=False,
        )


def main() -> None:
    """All of it, from the settings in the environment."""
    cloud = openstack.connect(cloud="lab")
    wait_for_agents(cloud, openstack.connect(cloud="lab-system"), int(os.environ["LAB_COMPUTES"]))
    make_flavors_and_image(cloud)
    make_storage_types(cloud)
    make_external_network(cloud)


if __name__ == "__main__":
    main()
