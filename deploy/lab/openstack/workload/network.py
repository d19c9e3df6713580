"""Networks and security groups."""

from typing import Any

from workload.scene import Scene, until


def lay_networks(scene: Scene) -> None:
    """Network, subnet, router with a gateway; tags on the network."""
    network = scene.member.network
    net = scene.made["network"] = network.create_network(name=scene.name("net"))
    scene.at_the_end(network.delete_network, net)
    network.set_tags(net, ["tresor"])
    network.update_network(net, description="research")
    subnet = network.create_subnet(network_id=net.id, name=scene.name("sub"), ip_version=4, cidr="10.77.0.0/22")
    network.update_subnet(subnet, dns_nameservers=["10.77.0.2"])
    outside = scene.admin.network.find_network("public")
    router = network.create_router(name=scene.name("rtr"), external_gateway_info={"network_id": outside.id})
    scene.at_the_end(network.delete_router, router)
    network.add_interface_to_router(router, subnet_id=subnet.id)
    scene.at_the_end(network.remove_interface_from_router, router, subnet_id=subnet.id)


def write_security_groups(scene: Scene) -> None:
    """Default-deny with a few openings: by prefix, by group, by address group."""
    network = scene.member.network
    mirrors = network.create_address_group(name=scene.name("ag"), addresses=["192.0.2.0/28"])
    scene.at_the_end(network.delete_address_group, mirrors)
    network.update_address_group(mirrors, description="mirrors")
    group = scene.made["group"] = network.create_security_group(name=scene.name("tre"), description="tre")
    scene.at_the_end(network.delete_security_group, group)
    for rule in group.security_group_rules:
        network.delete_security_group_rule(rule["id"])
    operators = scene.made["operators"] = network.create_security_group(name=scene.name("adm"))
    scene.at_the_end(network.delete_security_group, operators)
    network.update_security_group(operators, description="operators")
    for direction, protocol, port, remote in (
        ("ingress", "tcp", 22, {"remote_ip_prefix": "10.77.0.0/22"}),
        ("ingress", "tcp", 443, {"remote_group_id": operators.id}),
        ("egress", "udp", 53, {"remote_ip_prefix": "10.77.0.2/32"}),
        ("egress", "tcp", 3128, {"remote_ip_prefix": "10.77.0.3/32"}),
        ("egress", "tcp", 443, {"remote_address_group_id": mirrors.id}),
    ):
        network.create_security_group_rule(
            security_group_id=group.id,
            direction=direction,
            protocol=protocol,
            port_range_min=port,
            port_range_max=port,
            **remote,
        )


def give_a_floating_address(scene: Scene) -> None:
    """Once the servers' ports are active, one gets an address outside."""

    def bound() -> list[Any] | None:
        ports = list(scene.admin.network.ports(network_id=scene.made["network"].id, device_owner="compute:nova"))
        return ports if all(port.status == "ACTIVE" for port in ports) else None

    ports = until(bound, 60)
    outside = scene.admin.network.find_network("public")
    network = scene.member.network
    address = network.create_ip(floating_network_id=outside.id, port_id=ports[0].id)
    scene.at_the_end(network.delete_ip, address)
