"""A thousand servers are cheap, pages are whole, memory is bounded."""

import time

from tests.lab.cloud import Sdk
from twin.core.http import Reply, Request
from twin.main import build
from twin.settings import TwinSettings
from twin.testing import RunningTwin

SERVERS = 1_000
CPU_BUDGET_SECONDS = 8.0
"""For a thousand servers from POST to ACTIVE with all their notifications; about 1 s on an idle core."""


def test_a_thousand_servers_boot_within_the_budget() -> None:
    """CPU time of the twin itself, without HTTP: the notifications (26 a server) are built and encoded."""
    application, publisher = build(TwinSettings(amqp_url=None, seed=3), 1)
    cloud = application.cloud

    def call(service: str, method: str, path: str, body: bytes = b"", token: str = "") -> Reply:
        one = getattr(cloud, service)
        headers = {"x-auth-token": token, "openstack-api-version": "compute 2.96"}
        request = Request(method, path, "", headers, body, f"http://twin/{one.prefix}", cloud.chance.request_id())
        return application.handle(one, request)

    login = (
        b'{"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "admin", "domain": '
        b'{"id": "default"}, "password": "twin"}}}, "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}'
    )
    token = call("keystone", "POST", "/v3/auth/tokens", login).headers["X-Subject-Token"]
    network = call("neutron", "POST", "/v2.0/networks", b'{"network": {"name": "n"}}', token).body["network"]["id"]
    subnet = f'{{"subnet": {{"network_id": "{network}", "ip_version": 4, "cidr": "10.0.0.0/16"}}}}'
    assert call("neutron", "POST", "/v2.0/subnets", subnet.encode(), token).status == 201
    flavor, image = next(iter(cloud.nova.flavors))["id"], next(iter(cloud.glance.images))["id"]
    begin = time.process_time()
    for number in range(SERVERS):
        server = (
            f'{{"server": {{"name": "s{number}", "flavorRef": "{flavor}", "imageRef": "{image}", '
            f'"networks": [{{"uuid": "{network}"}}]}}}}'
        )
        assert call("nova", "POST", "/v2.1/servers", server.encode(), token).status == 202
    cloud.clock.advance(60)
    spent = time.process_time() - begin
    assert {server["vm_state"] for server in cloud.nova.servers} == {"active"}
    assert {cloud.nova.servers.taken("claimed", f"hv{number}").servers for number in (1, 2, 3)} == {333, 334}
    assert len(publisher.latest) == publisher.latest.maxlen
    assert spent < CPU_BUDGET_SECONDS, f"{spent:.1f} s"


def test_pages_are_whole_and_in_order(twin: RunningTwin, admin: Sdk) -> None:
    """Every row once, whatever the page's size; Neutron's, Nova's, Cinder's and Glance's links lead on."""
    bodies = {"networks": [{"name": f"n{number:02}"} for number in range(25)]}
    admin.network.post("/networks", json=bodies)
    assert len({network.id for network in admin.network.networks(limit=7)}) == 26
    for number in range(9):
        admin.block_storage.create_volume(name=f"v{number}", size=1)
        admin.compute.create_keypair(name=f"k{number}", public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7m test")
        admin.image.create_image(name=f"i{number}", disk_format="raw", container_format="bare")
    assert len({volume.id for volume in admin.block_storage.volumes(limit=4)}) == 9
    assert len({image.id for image in admin.image.images(limit=4)}) == 10


def test_what_is_deleted_leaves_nothing(twin: RunningTwin, admin: Sdk) -> None:
    """Counts are as before; addresses are free again."""
    admin.network.find_network("public")
    list(admin.network.security_groups())
    before = twin.state()["counts"]
    network = admin.network.create_network(name="n")
    subnet = admin.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.1.0.0/29")
    for _ in range(10):
        ports = [admin.network.create_port(network_id=network.id) for _ in range(5)]
        for port in ports:
            admin.network.delete_port(port)
    admin.network.delete_subnet(subnet)
    admin.network.delete_network(network)
    assert twin.state()["counts"] == before
