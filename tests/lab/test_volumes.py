"""Volumes and their attachments."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, Tidy, Workspace, body_of, eventually
from tests.lab.recorder import Notification, Recorder


@pytest.fixture
def volume(workspace: Workspace, prefix: str, notifications: Recorder) -> Iterator[Any]:
    """A volume of 1 GiB, available."""
    own = workspace.connection.block_storage
    mark = notifications.mark()
    made = own.create_volume(name=prefix, size=1, metadata={"tresor": prefix})
    available = own.wait_for_status(made, "available", interval=0.3, wait=60)
    notifications.wait_for(mark, lambda heard: heard.event_type == "volume.create.end" and heard.mentions(made.id))
    yield available
    own.delete_volume(made, ignore_missing=True)
    own.wait_for_delete(made, interval=0.3, wait=60)


@pytest.fixture(scope="module")
def server(admin: Sdk, workspace: Workspace) -> Any:
    """A server without a network."""
    own = workspace.connection.compute
    made = own.create_server(
        name=workspace.name,
        image_id=admin.image.find_image("tiny").id,
        flavor_id=admin.compute.find_flavor("tre.small").id,
        networks="none",
    )
    return own.wait_for_server(made, interval=0.5, wait=120)


def bad_request(refused: pytest.ExceptionInfo[openstack.exceptions.HttpException]) -> str:
    """The message of Cinder's 400."""
    error = body_of(refused)["badRequest"]
    assert error["code"] == 400
    return str(error["message"])


def told_about(volume_id: str, mark: int, notifications: Recorder) -> list[Notification]:
    """Cinder's notifications on that volume."""
    return notifications.wait_for_quiet(mark, lambda heard: heard.exchange == "openstack" and heard.mentions(volume_id))


def test_a_volume_is_creating_then_available(workspace: Workspace, prefix: str, tidy: Tidy) -> None:
    """The answer is 202 with the status creating; metadata comes back as sent."""
    own = workspace.connection.block_storage
    made = own.create_volume(name=prefix, size=1, metadata={"tresor": prefix})
    tidy(own.delete_volume, made)
    assert made.status == "creating"
    assert made.metadata == {"tresor": prefix}
    ready = own.wait_for_status(made, "available", interval=0.3, wait=60)
    assert (ready.size, ready.attachments, ready.is_bootable) == (1, [], False)


def test_metadata_finds_a_volume(workspace: Workspace, volume: Any, prefix: str) -> None:
    """The filter on metadata, a JSON text, is the marker to look for before a retry. The SDK spoils it: ask by hand."""
    own = workspace.connection.block_storage

    def having(value: str) -> list[str]:
        answer = own.get("/volumes", params={"metadata": json.dumps({"tresor": value})})
        return [found["id"] for found in answer.json()["volumes"]]

    assert having(prefix) == [volume.id]
    assert having("absent") == []
    assert [found.id for found in own.volumes(name=prefix)] == [volume.id]


def test_an_attached_volume_stays(workspace: Workspace, server: Any, volume: Any, notifications: Recorder) -> None:
    """in-use and back; deleting it meanwhile is a 400. Cinder tells attach, Nova tells volume_attach."""
    own = workspace.connection
    mark = notifications.mark()
    own.compute.create_volume_attachment(server, volume_id=volume.id)
    attached = own.block_storage.wait_for_status(volume, "in-use", interval=0.3, wait=60)
    assert [attachment["server_id"] for attachment in attached.attachments] == [server.id]
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        own.block_storage.delete_volume(volume)
    assert bad_request(refused).startswith("Invalid volume: Volume status must be available or error")
    own.compute.delete_volume_attachment(server, volume.id)
    own.block_storage.wait_for_status(volume, "available", interval=0.3, wait=60)
    told = told_about(volume.id, mark, notifications)
    assert [heard.event_type for heard in told] == [
        f"volume.{action}.{phase}" for action in ("attach", "detach") for phase in ("start", "end")
    ]
    for event_type in ("instance.volume_attach.end", "instance.volume_detach.end"):
        notifications.wait_for(mark, partial(_tells, event_type=event_type, volume_id=volume.id))


def _tells(heard: Notification, event_type: str, volume_id: str) -> bool:
    return heard.versioned and heard.event_type == event_type and heard.mentions(volume_id)


def test_a_volume_only_grows(workspace: Workspace, volume: Any, notifications: Recorder) -> None:
    """extend is told as volume.resize; a smaller size is a 400."""
    own = workspace.connection.block_storage
    mark = notifications.mark()
    own.extend_volume(volume, 2)
    eventually(lambda: (now := own.get_volume(volume.id)).size == 2 and now.status == "available")
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        own.extend_volume(volume, 1)
    assert "New size for extend must be greater than current size" in bad_request(refused)
    told = told_about(volume.id, mark, notifications)
    assert [heard.event_type for heard in told] == ["volume.resize.start", "volume.resize.end"]
    assert told[1].payload["size"] == 2


def test_a_volume_with_a_snapshot_stays(workspace: Workspace, volume: Any, prefix: str) -> None:
    """400 until the snapshot is gone."""
    own = workspace.connection.block_storage
    snapshot = own.create_snapshot(volume_id=volume.id, name=prefix)
    own.wait_for_status(snapshot, "available", interval=0.3, wait=60)
    with pytest.raises(openstack.exceptions.BadRequestException) as refused:
        own.delete_volume(volume)
    assert "have snapshots" in bad_request(refused) or "dependent snapshots" in bad_request(refused)
    own.delete_snapshot(snapshot)
    own.wait_for_delete(snapshot, interval=0.3, wait=60)


def test_volume_events(workspace: Workspace, prefix: str, notifications: Recorder) -> None:
    """create and delete, .start and .end, on the exchange `openstack` with the publisher volume.HOST."""
    own = workspace.connection.block_storage
    mark = notifications.mark()
    made = own.create_volume(name=prefix, size=1, metadata={"tresor": prefix})
    own.wait_for_status(made, "available", interval=0.3, wait=60)
    own.delete_volume(made)
    own.wait_for_delete(made, interval=0.3, wait=60)
    told = told_about(made.id, mark, notifications)
    assert [heard.event_type for heard in told] == [
        f"volume.{action}.{phase}" for action in ("create", "delete") for phase in ("start", "end")
    ]
    assert {(heard.exchange, heard.routing_key, heard.publisher) for heard in told} == {
        ("openstack", "notifications.info", "volume")
    }
    created = told[1].payload
    assert created["volume_id"] == made.id
    assert created["tenant_id"] == workspace.project_id
    assert (created["size"], created["status"], created["display_name"]) == (1, "available", prefix)


def test_an_unknown_volume_is_404(workspace: Workspace) -> None:
    """itemNotFound with the id."""
    nobody = "11111111-1111-1111-1111-111111111111"
    with pytest.raises(openstack.exceptions.NotFoundException) as refused:
        workspace.connection.block_storage.get_volume(nobody)
    error = body_of(refused)["itemNotFound"]
    assert error == {"code": 404, "message": f"Volume {nobody} could not be found."}
