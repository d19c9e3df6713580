"""A cloud in which everything that `tresor audit` looks for is wrong once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from twin.testing import RunningTwin, running_twin


def connect(twin: RunningTwin) -> Any:
    config = OpenStackConfig(config_files=[str(twin.clouds_file)], load_envvars=False)
    return Connection(config=config.get_one(cloud="twin"))


@dataclass
class Wrong:
    """What was made wrong, by kind of finding: the resource that the finding must name."""

    twin: RunningTwin
    resources: dict[str, str]


def server(cloud: Any, name: str, port: Any) -> Any:
    flavor = cloud.compute.find_flavor("tre.small")
    image = cloud.image.find_image("tiny")
    made = cloud.compute.create_server(name=name, flavor_id=flavor.id, image_id=image.id, networks=[{"port": port.id}])
    return cloud.compute.wait_for_server(made, wait=60)


@contextmanager
def wrong_cloud(amqp_url: str = "") -> Iterator[Wrong]:
    """A twin with one of everything, which notifies on that bus."""
    with running_twin(amqp_url, delay_scale=0.01) as twin:
        cloud = connect(twin)
        found: dict[str, str] = {}
        network = cloud.network
        one = cloud.identity.create_project(name="one", domain_id="default")
        two = cloud.identity.create_project(name="two", domain_id="default")

        def net(name: str, project: Any, cidr: str, **more: Any) -> Any:
            made = network.create_network(name=name, project_id=project.id, **more)
            network.create_subnet(network_id=made.id, ip_version=4, cidr=cidr, project_id=project.id)
            return made

        def group(name: str, project: Any, *rules: dict[str, Any]) -> Any:
            made = network.create_security_group(name=name, project_id=project.id)
            for rule in rules:
                fields = {"direction": "ingress", "ethertype": "IPv4", "project_id": project.id, **rule}
                network.create_security_group_rule(security_group_id=made.id, **fields)
            return made

        def port(name: str, on: Any, project: Any, **more: Any) -> Any:
            return network.create_port(name=name, network_id=on.id, project_id=project.id, **more)

        def tcp(low: int, high: int | None = None, prefix: str | None = None, **more: Any) -> dict[str, Any]:
            return {
                "protocol": "tcp",
                "port_range_min": low,
                "port_range_max": high or low,
                "remote_ip_prefix": prefix,
                **more,
            }

        home, shared = net("home", one, "10.1.0.0/24"), net("shared", one, "10.2.0.0/24")
        network.create_subnet(network_id=home.id, ip_version=6, cidr="fd00:1::/64", project_id=one.id)
        other, joined = net("other", two, "10.200.3.0/24"), net("joined", two, "10.3.0.0/24")
        overlapping = net("overlapping", two, "10.3.0.0/25")
        found["shared-with-everybody"] = network.create_rbac_policy(
            object_type="network",
            object_id=shared.id,
            action="access_as_shared",
            target_project_id="*",
            project_id=one.id,
        ).object_id
        ssh = group("ssh", one, tcp(22))
        web = group("web", one, tcp(80, 81, "0.0.0.0/1"), tcp(80, 81, "128.0.0.0/1"), tcp(8080, ethertype="IPv6"))
        found["world-open-admin"], found["world-open"], found["ipv6-wider-than-ipv4"] = ssh.id, web.id, web.id
        messy = group(
            "messy", two, tcp(22, prefix="10.0.0.0/8"), tcp(22, prefix="10.0.0.9/8"), tcp(22, prefix="10.9.0.0/16"),
            tcp(443, remote_group_id=group("nobody", two).id),
            {"protocol": "tcp", "remote_ip_prefix": "192.0.2.0/24"},
            tcp(22, ethertype="IPv6", prefix="2001:db8::/32"),
        )  # fmt: skip
        for kind in ("rule-repeated", "rule-shadowed", "rule-without-members", "rule-over-broad", "group-not-least"):
            found[kind] = messy.id
        found["rule-ipv6-leftover"] = messy.id
        found["group-unused"] = next(network.security_groups(name="nobody")).id
        found["group-of-no-project"] = network.create_security_group(name="lost", project_id="f" * 32).id
        login = port("login", home, one, security_groups=[ssh.id, web.id], device_owner="compute:nova")
        port("messy", joined, two, security_groups=[messy.id], device_owner="compute:nova")
        plain = port("plain", home, one, device_owner="compute:nova")
        found["default-group-allows"] = plain.security_group_ids[0]
        found["port-unfiltered"] = port(
            "unfiltered",
            home,
            one,
            security_groups=[],
            port_security_enabled=False,
            device_id="x",
            device_owner="compute:nova",
        ).id
        found["port-trusted-owner"] = port("liar", home, one, device_owner="network:dhcp", device_id="nothing").id
        pairs = [{"ip_address": "0.0.0.0/0"}]
        found["address-pair-anywhere"] = port("any", home, one, allowed_address_pairs=pairs).id
        found["address-pair-wide"] = port("wide", home, one, allowed_address_pairs=[{"ip_address": "10.1.0.0/24"}]).id
        options = [{"opt_name": "server-ip-address", "opt_value": "192.0.2.66"}]
        found["port-dhcp-options"] = port("options", home, one, extra_dhcp_opts=options).id
        found["port-direct"] = port("direct", home, one, **{"binding:vnic_type": "direct"}).id
        macs = [port("mac", on, whose, mac_address="fa:16:3e:00:00:01").id for on, whose in ((home, one), (other, two))]
        found["duplicate-mac"] = min(macs)
        parent, child = port("parent", home, one), port("child", shared, one)
        subports = [{"port_id": child.id, "segmentation_type": "vlan", "segmentation_id": 7}]
        found["trunk"] = network.create_trunk(port_id=parent.id, sub_ports=subports, project_id=one.id).id
        found["tenant-on-internal-network"] = port("visitor", shared, two, device_owner="compute:nova").id
        found["tenant-on-shared-network"] = shared.id
        found["project-reached-by-others"] = one.id
        public = network.find_network("public")
        found["tenant-on-external-network"] = port("outside", public, two, device_owner="compute:nova").id
        found["tenant-on-reserved-prefix"] = next(network.subnets(network_id=other.id)).id
        router = network.create_router(project_id=one.id, external_gateway_info={"network_id": public.id})
        network.add_interface_to_router(router, subnet_id=next(network.subnets(network_id=home.id, ip_version=4)).id)
        for member, cidr in ((joined, "10.3.0.0/24"), (overlapping, "10.3.0.0/25")):
            between = network.create_router(project_id=two.id)
            network.add_interface_to_router(
                between, subnet_id=next(network.subnets(network_id=member.id, cidr=cidr)).id
            )
            corner = port("corner", other, two)
            network.add_interface_to_router(between, port_id=corner.id)
        found["subnets-overlap"] = next(network.subnets(network_id=joined.id)).id
        floating = network.create_ip(floating_network_id=public.id, port_id=login.id, project_id=one.id)
        found["floating-ip-open"] = floating.id
        template = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "used_in_non_default_sg": True}
        made = network.post("/default-security-group-rules", json={"default_security_group_rule": template}).json()
        found["default-template-open"] = made["default_security_group_rule"]["id"]
        found["image-format"] = cloud.image.create_image(
            name="odd", disk_format="vmdk", container_format="bare", visibility="public", data=b"0" * 1024
        ).id
        # Nova plugs in no port of another project than the server's.
        cloud.identity.assign_project_role_to_user(one, cloud.current_user_id, cloud.identity.find_role("member"))
        member = cloud.connect_as_project(one.name)
        volume = member.block_storage.create_volume(name="v", size=1)
        cloud.block_storage.wait_for_status(volume, "available", interval=0.2, wait=30)
        vm = server(member, "vm", port("vm", home, one))
        member.compute.create_volume_attachment(vm, volume_id=volume.id)
        cloud.block_storage.wait_for_status(volume, "in-use", interval=0.2, wait=30)
        attached = cloud.block_storage.get("/attachments", params={"all_tenants": 1}, microversion="3.27").json()
        for each in attached["attachments"]:
            twin._application.cloud.cinder.attachments.remove(each["id"])
        found["attachment-mismatch"] = volume.id
        yield Wrong(twin, found)
