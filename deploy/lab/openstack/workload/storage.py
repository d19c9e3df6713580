"""Volumes and shares."""

from typing import Any

from workload.scene import Scene, until

MANILA_HEADERS = {"X-OpenStack-Manila-API-Version": "2.82"}


def use_a_volume(scene: Scene) -> None:
    """Attach, detach, snapshot, extend."""
    volumes, compute = scene.member.block_storage, scene.member.compute
    volume = volumes.create_volume(name=scene.name("vol"), size=2, metadata={"tre": scene.tag})
    scene.at_the_end(volumes.delete_volume, volume)
    volumes.wait_for_status(volume, "available", interval=1, wait=60)
    server = scene.made["servers"][1]
    compute.create_volume_attachment(server, volume_id=volume.id)
    volumes.wait_for_status(volume, "in-use", interval=1, wait=60)
    compute.delete_volume_attachment(server, volume.id)
    volumes.wait_for_status(volume, "available", interval=1, wait=60)
    snapshot = volumes.create_snapshot(volume_id=volume.id, name=scene.name("snap"))
    volumes.wait_for_status(snapshot, "available", interval=1, wait=60)
    volumes.delete_snapshot(snapshot)
    volumes.wait_for_delete(snapshot, wait=60)
    volumes.extend_volume(volume, 3)
    until(lambda: volumes.get_volume(volume.id).size == 3, 60)


def call(scene: Scene, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Manila's answer. Raises an SDK exception on an error status."""
    answer = scene.member.shared_file_system.request(path, method, json=body, headers=MANILA_HEADERS)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def share(scene: Scene, protocol: str, kind: str, access_type: str, access_to: str) -> None:
    """A share, an access rule that becomes active, and the rule's end."""
    body: dict[str, Any] = {"share_proto": protocol, "size": 1, "name": scene.name(kind), "share_type": kind}
    share_id = call(scene, "POST", "/shares", {"share": {**body, "metadata": {"tre": scene.tag}}})["share"]["id"]
    scene.at_the_end(call, scene, "DELETE", f"/shares/{share_id}")
    until(lambda: call(scene, "GET", f"/shares/{share_id}")["share"]["status"] == "available")
    rule = {"access_type": access_type, "access_to": access_to, "access_level": "rw"}
    action = f"/shares/{share_id}/action"
    rule_id = call(scene, "POST", action, {"allow_access": rule})["access"]["id"]
    until(lambda: call(scene, "GET", f"/share-access-rules/{rule_id}")["access"]["state"] == "active")
    call(scene, "POST", action, {"deny_access": {"access_id": rule_id}})


def share_by_nfs(scene: Scene) -> None:
    """For a subnet."""
    share(scene, "NFS", "nfs", "ip", "10.77.0.0/22")


def share_by_cephfs(scene: Scene) -> None:
    """For a cephx user."""
    share(scene, "CEPHFS", "cephfs", "cephx", f"alice{scene.tag}")
