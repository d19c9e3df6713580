"""What a document wants of storage, and what is refused."""

import pytest

from contracts.site import Site
from storage.domain import desired as wants
from storage.domain import names
from tests.storage.samples import SITE, document, shares


def test_cephfs_gives_each_role_an_id_of_its_own() -> None:
    """I8: access is derived from the roles."""
    wanted = wants.desired(document(), 1, SITE)
    home = next(share for share in wanted.shares if share.name == "home")
    assert {str(rule) for rule in home.access} == {"cephx:openhpc_login rw", "cephx:openhpc_compute rw"}
    assert (home.cloud_name, home.share_type, home.size_gib) == ("openhpc-home", "cephfs", 100)


def test_two_workspaces_never_come_to_the_same_cephx_id() -> None:
    """Ceph's ids are one name space: a shared id would share its key."""
    assert names.cephx_id("a-b", "c") != names.cephx_id("a", "b-c")


def test_nfs_lets_in_the_networks_of_the_roles() -> None:
    wanted = wants.desired(
        shares({"name": "home", "size_gib": 1, "protocol": "NFS", "access": {"login": "ro", "compute": "ro"}}), 1, SITE
    )
    assert {str(rule) for rule in wanted.shares[0].access} == {"ip:10.42.0.0/24 ro"}
    assert wanted.shares[0].share_type == "nfs"


def test_one_volume_for_each_node_of_the_role() -> None:
    wanted = wants.desired(document(), 1, SITE)
    assert [(volume.cloud_name, volume.node) for volume in wanted.volumes] == [
        (f"openhpc-data-{index}", f"openhpc-compute-{index}") for index in range(5)
    ]
    assert {volume.volume_type for volume in wanted.volumes} == {"lab"}


def test_limits_are_what_the_document_needs() -> None:
    """I8: quota."""
    assert wants.limits(document()) == {
        "share": {"shares": 2, "gigabytes": 1100},
        "volume": {"volumes": 5, "gigabytes": 50},
    }
    assert wants.limits(document(storage={}, quotas={"volumes_gib": 7})) == {"volume": {"volumes": 1, "gigabytes": 7}}


@pytest.mark.parametrize(
    ("storage", "field", "remedy"),
    [
        pytest.param(
            {"shares": [{"name": "s", "size_gib": 1, "protocol": "NFS", "access": {}}]},
            "storage.shares.0.protocol",
            "CEPHFS",
            id="L18: a protocol that the site does not allow",
        ),
        pytest.param(
            {"shares": [{"name": "s", "size_gib": 1, "share_type": "fast", "access": {}}]},
            "storage.shares.0.share_type",
            "cephfs",
            id="L18: a share type that is not the site's",
        ),
        pytest.param(
            {"volumes": [{"name": "v", "size_gib": 1, "volume_type": "lvm", "role": "login"}]},
            "storage.volumes.0.volume_type",
            "ceph",
            id="L18: a volume type that is not the site's",
        ),
    ],
)
def test_other_backends_are_refused(storage: dict[str, object], field: str, remedy: str) -> None:
    """L18: CephRBD and CephFS only, here; everything else is refused with what to write instead."""
    only_ceph = Site(name="leomed", volume_type="ceph-rbd")
    (problem,) = wants.problems(document(storage=storage), only_ceph)
    assert problem.field == field
    assert remedy in problem.remedy


@pytest.mark.parametrize("access", [{"login": "rw", "compute": "ro"}, {"login": "rw"}])
def test_nfs_refuses_access_that_a_prefix_cannot_express(access: dict[str, str]) -> None:
    """Letting the network in would give a role more than the document says."""
    (problem,) = wants.problems(shares({"name": "home", "size_gib": 1, "protocol": "NFS", "access": access}), SITE)
    assert problem.field == "storage.shares.0.access"
    assert "cluster" in problem.reason
    assert "CEPHFS" in problem.remedy


def test_a_quota_below_the_need_is_refused() -> None:
    (problem,) = wants.problems(document(quotas={"volumes_gib": 49}), SITE)
    assert problem.field == "quotas.volumes_gib"
    assert "50" in problem.remedy


def test_a_good_document_has_no_problem() -> None:
    assert wants.problems(document(), SITE) == ()
