"""A bare-metal node, by Ironic's API alone and as a Nova server."""

from workload.scene import Scene, until

WAIT_SECONDS = 60


def walk_a_node_through_its_states(scene: Scene) -> None:
    """Enroll, manage, inspect, provide, deploy, power, undeploy."""
    nodes = scene.system.baremetal
    node = scene.made["node"] = nodes.create_node(
        name=scene.name("bm"),
        driver="fake-hardware",
        resource_class="baremetal",
        properties={"cpus": 8, "memory_mb": 16384, "local_gb": 100, "cpu_arch": "x86_64"},
    )
    scene.at_the_end(nodes.delete_node, node)
    scene.at_the_end(nodes.set_node_maintenance, node)
    octets = ":".join(scene.tag[at : at + 2] for at in (0, 2, 4))
    nodes.create_port(node_id=node.id, address=f"52:54:00:{octets}")
    for target in ("manage", "inspect", "provide"):
        nodes.set_node_provision_state(node, target, wait=True, timeout=WAIT_SECONDS)
    nodes.update_node(
        node, instance_info={"image_source": "http://127.0.0.1:1/x.img", "image_checksum": "0" * 32, "root_gb": 1}
    )
    nodes.set_node_provision_state(node, "active", wait=True, timeout=WAIT_SECONDS)
    for power in ("power off", "power on"):
        nodes.set_node_power_state(node, power, wait=True, timeout=WAIT_SECONDS)
    nodes.set_node_provision_state(node, "deleted", wait=True, timeout=WAIT_SECONDS)


def boot_a_server_on_the_node(scene: Scene) -> None:
    """Nova deploys the node, once its resource tracker has told placement of it."""
    node = scene.made["node"]
    nodes = scene.system.baremetal
    until(lambda: any(found.name == node.id for found in scene.admin.compute.hypervisors()), 180)
    compute = scene.member.compute
    server = compute.create_server(
        name=scene.name("bmsrv"),
        image_id=scene.admin.image.find_image("tiny").id,
        flavor_id=scene.admin.compute.find_flavor("bm").id,
        networks=[{"uuid": scene.made["network"].id}],
        key_name=scene.name("key"),
    )
    settled = {"available", "manageable", "error", "clean failed"}
    scene.at_the_end(until, lambda: nodes.get_node(node.id).provision_state in settled)
    scene.at_the_end(compute.wait_for_delete, server, wait=120)
    scene.at_the_end(compute.delete_server, server)
    compute.wait_for_server(server, wait=180, interval=2)
