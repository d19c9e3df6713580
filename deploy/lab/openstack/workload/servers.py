"""Servers, through most of what may happen to one."""

from typing import Any

import openstack.exceptions

from workload.scene import Scene, service, until

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7mY0JX0l6Vd0r5QH2cYw8k8VvFf2y8nq0m9k3m0m0m lab"
USER_DATA = "I2Nsb3VkLWNvbmZpZwo="


def settled(scene: Scene, server: Any, status: str) -> Any:
    """Waits for the status with no task running: the status alone comes before the next action is allowed."""

    def now() -> Any:
        found = scene.member.compute.get_server(server.id)
        assert found.status != "ERROR", found.fault
        return found if found.status == status and not found.task_state else None

    return until(now)


def boot(scene: Scene) -> None:
    """A key and three servers on the network."""
    compute = scene.member.compute
    key = compute.create_keypair(name=scene.name("key"), public_key=PUBLIC_KEY)
    scene.at_the_end(compute.delete_keypair, key)
    servers = [
        compute.create_server(
            name=scene.name(f"vm{number}"),
            image_id=scene.admin.image.find_image("tiny").id,
            flavor_id=scene.admin.compute.find_flavor("tre.small").id,
            networks=[{"uuid": scene.made["network"].id}],
            key_name=key.name,
            security_groups=[{"name": scene.made["group"].name}],
            metadata={"tre": scene.tag, "dataset": f"d{number}"},
            user_data=USER_DATA,
        )
        for number in range(3)
    ]
    scene.made["servers"] = [compute.wait_for_server(server, wait=120, interval=1) for server in servers]
    for server in servers:
        scene.at_the_end(compute.wait_for_delete, server, wait=120)
    for server in servers:
        scene.at_the_end(compute.delete_server, server)


def walk_through_the_states(scene: Scene) -> None:
    """Stop, start, reboot, pause, suspend, lock, shelve, and back each time."""
    compute, server = scene.member.compute, scene.made["servers"][0]
    for action, arguments, status in (
        (compute.stop_server, (), "SHUTOFF"),
        (compute.start_server, (), "ACTIVE"),
        (compute.reboot_server, ("SOFT",), "ACTIVE"),
        (compute.pause_server, (), "PAUSED"),
        (compute.unpause_server, (), "ACTIVE"),
        (compute.suspend_server, (), "SUSPENDED"),
        (compute.resume_server, (), "ACTIVE"),
        (compute.lock_server, (), "ACTIVE"),
        (compute.unlock_server, (), "ACTIVE"),
        (compute.shelve_server, (), "SHELVED_OFFLOADED"),
        (compute.unshelve_server, (), "ACTIVE"),
    ):
        action(server, *arguments)
        settled(scene, server, status)


def resize_and_rebuild(scene: Scene) -> None:
    """A larger flavor, then the same image again."""
    compute, server = scene.member.compute, scene.made["servers"][0]
    compute.set_server_metadata(server, project="p1")
    compute.resize_server(server, scene.admin.compute.find_flavor("tre.large").id)
    settled(scene, server, "VERIFY_RESIZE")
    compute.confirm_server_resize(server)
    settled(scene, server, "ACTIVE")
    compute.rebuild_server(server, image=scene.admin.image.find_image("tiny").id)
    settled(scene, server, "ACTIVE")


def change_groups_and_interfaces(scene: Scene) -> None:
    """A group and an interface come and go while the server runs."""
    compute, server = scene.member.compute, scene.made["servers"][1]
    operators = scene.made["operators"].name
    compute.add_security_group_to_server(server, operators)
    compute.remove_security_group_from_server(server, operators)
    interface = compute.create_server_interface(server, net_id=scene.made["network"].id)
    until(lambda: scene.member.network.get_port(interface.port_id).status == "ACTIVE", 30)
    compute.delete_server_interface(interface.port_id, server=server)


def live_migrate(scene: Scene) -> None:
    """To whatever host the scheduler picks; the ports follow."""
    compute, server = scene.admin.compute, scene.made["servers"][2]
    source = compute.get_server(server.id).compute_host
    compute.live_migrate_server(server.id, host=None, block_migration="auto")

    def moved() -> str | None:
        found = compute.get_server(server.id)
        assert found.status != "ERROR", found.fault
        return found.compute_host if found.compute_host != source and found.status == "ACTIVE" else None

    target = until(moved)
    until(
        lambda: all(
            port.binding_host_id == target and port.status == "ACTIVE"
            for port in scene.admin.network.ports(device_id=server.id)
        )
    )


def evacuate(scene: Scene) -> None:
    """A hypervisor dies, its server is rebuilt elsewhere, the hypervisor comes back.

    The server is one that was never live-migrated, since the fake driver keeps a copy on a migration's source.
    """
    compute, server = scene.admin.compute, scene.made["servers"][1]
    source = compute.get_server(server.id).compute_host
    host = next(found for found in compute.services(binary="nova-compute") if found.host == source)
    service("kill", f"nova-{source}")
    compute.update_service_forced_down(host, forced=True)
    compute.evacuate_server(server.id)

    def moved() -> bool:
        found = compute.get_server(server.id)
        # At current microversions an evacuated server is left stopped.
        return found.compute_host != source and found.status in {"ACTIVE", "SHUTOFF"} and not found.task_state

    until(moved)
    service("start", f"nova-{source}")

    def unmarked() -> bool:
        # The mark can be taken back only after nova-compute has cleaned up what was evacuated.
        try:
            compute.update_service_forced_down(host, forced=False)
        except openstack.exceptions.BadRequestException:
            return False
        return True

    until(unmarked)
    until(lambda: any(found.host == source and found.state == "up" for found in compute.services()))


def take_an_image(scene: Scene) -> None:
    """A snapshot image of a server, deleted at once."""
    name = scene.name("img")
    scene.member.compute.create_server_image(scene.made["servers"][1], name=name, wait=False)
    images = scene.member.image

    def there() -> Any:
        found = images.find_image(name)
        return found if found and found.status in {"active", "queued"} else None

    images.delete_image(until(there))
