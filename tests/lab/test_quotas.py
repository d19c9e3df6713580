"""Quotas: how they are set and what being over one looks like, service by service."""

from typing import Any

import openstack.exceptions
import pytest

from tests.lab.cloud import Sdk, Shares, Workspace, body_of, neutron_error


@pytest.fixture(scope="module")
def shares(workspace: Workspace) -> Shares:
    """Manila as the workspace sees it."""
    return Shares(workspace.connection)


@pytest.fixture(scope="module", autouse=True)
def quotas(admin: Sdk, workspace: Workspace) -> None:
    """The workspace's quotas: one of everything."""
    admin.set_compute_quotas(workspace.project_id, instances=1, cores=2, ram=1024)
    admin.set_network_quotas(workspace.project_id, network=1, port=1, security_group=2, security_group_rule=9)
    admin.set_volume_quotas(workspace.project_id, volumes=1, gigabytes=3)
    body = {"quota_set": {"shares": 1, "gigabytes": 2}}
    assert Shares(admin).call("PUT", f"/quota-sets/{workspace.project_id}", body).status_code == 200


@pytest.fixture(scope="module")
def net(admin: Sdk, workspace: Workspace) -> Any:
    """The one network the quota allows."""
    return admin.network.create_network(name=workspace.name, project_id=workspace.project_id)


def test_quotas_are_read_back(admin: Sdk, workspace: Workspace) -> None:
    """What was set is what is there; what was not keeps the default."""
    compute = admin.get_compute_quotas(workspace.project_id)
    assert (compute.instances, compute.cores, compute.ram) == (1, 2, 1024)
    assert compute.key_pairs == 100
    network = admin.get_network_quotas(workspace.project_id)
    assert (network.networks, network.ports, network.security_groups) == (1, 1, 2)
    volume = admin.get_volume_quotas(workspace.project_id)
    assert (volume.volumes, volume.gigabytes) == (1, 3)
    shares = Shares(admin).call("GET", f"/quota-sets/{workspace.project_id}").json()["quota_set"]
    assert (shares["shares"], shares["gigabytes"]) == (1, 2)


def test_neutron_tells_how_much_is_used(admin: Sdk, workspace: Workspace, net: Any) -> None:
    """The details form has limit, used and reserved for each resource."""
    details = admin.network.get(f"/quotas/{workspace.project_id}/details").json()["quota"]
    assert details["network"] == {"limit": 1, "used": 1, "reserved": 0}


def test_neutron_over_quota_is_409(admin: Sdk, workspace: Workspace, net: Any) -> None:
    """OverQuota with the resource's name in the message; the administrator is held to the project's quota too."""
    with pytest.raises(openstack.exceptions.ConflictException) as refused:
        admin.network.create_network(name=workspace.name, project_id=workspace.project_id)
    error = neutron_error(refused)
    assert error["type"] == "OverQuota"
    assert error["message"] == "Quota exceeded for resources: ['network']."


def test_nova_over_quota_is_403(admin: Sdk, workspace: Workspace) -> None:
    """A 403 like a missing right, to be told apart by its message."""
    image, flavor = admin.image.find_image("tiny"), admin.compute.find_flavor("tre.large")
    with pytest.raises(openstack.exceptions.ForbiddenException) as refused:
        workspace.connection.compute.create_server(
            name=workspace.name, image_id=image.id, flavor_id=flavor.id, networks="none"
        )
    error = body_of(refused)["forbidden"]
    assert error["code"] == 403
    assert error["message"].startswith("Quota exceeded for ")
    assert "cores: Requested 4" in error["message"] or "cores, ram: Requested 4, 4096" in error["message"]


def test_cinder_over_quota_is_413(admin: Sdk, workspace: Workspace) -> None:
    """Too many and too large are two messages; retryAfter is no invitation, it is always 0."""
    own = workspace.connection.block_storage
    own.create_volume(name=workspace.name, size=2)
    for size_gib, kind in ((1, "VolumeLimitExceeded"), (9, "VolumeSizeExceedsAvailableQuota")):
        with pytest.raises(openstack.exceptions.HttpException) as refused:
            own.create_volume(name=workspace.name, size=size_gib)
        answer: Any = refused.value.response
        assert answer.status_code == 413
        assert answer.headers["Retry-After"] == "0"
        error = body_of(refused)["overLimit"]
        assert (error["code"], error["retryAfter"]) == (413, "0")
        assert error["message"].startswith(f"{kind}: ")


def test_manila_over_quota_is_413(shares: Shares, workspace: Workspace) -> None:
    """As Cinder does it."""
    shares.create(workspace.name, "NFS", "nfs")
    for size_gib, kind in ((1, "ShareLimitExceeded"), (9, "ShareSizeExceedsAvailableQuota")):
        body = {"share": {"share_proto": "NFS", "size": size_gib, "name": workspace.name, "share_type": "nfs"}}
        refused = shares.call("POST", "/shares", body)
        assert refused.status_code == 413
        error = refused.json()["overLimit"]
        assert (error["code"], error["retryAfter"]) == (413, "0")
        assert error["message"].startswith(f"{kind}: ")
