"""Shares and who may mount them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.cloud import Shares, Workspace, eventually
from tests.lab.recorder import Recorder


@pytest.fixture(scope="module")
def shares(workspace: Workspace) -> Shares:
    """Manila as the workspace sees it."""
    return Shares(workspace.connection)


@pytest.fixture(scope="module")
def nfs(shares: Shares, workspace: Workspace, notifications: Recorder) -> Iterator[dict[str, Any]]:
    """An NFS share of 1 GiB."""
    yield (made := shares.create(f"{workspace.name}-nfs", "NFS", "nfs"))
    shares.delete(made["id"])


@pytest.fixture(scope="module")
def cephfs(shares: Shares, workspace: Workspace) -> Iterator[dict[str, Any]]:
    """A CephFS share of 1 GiB."""
    yield (made := shares.create(f"{workspace.name}-cephfs", "CEPHFS", "cephfs"))
    shares.delete(made["id"])


def allow(shares: Shares, share_id: str, kind: str, who: str, level: str = "rw") -> Any:
    """The answer to a request to let somebody in."""
    rule = {"access_type": kind, "access_to": who, "access_level": level}
    return shares.call("POST", f"/shares/{share_id}/action", {"allow_access": rule})


def rules(shares: Shares, share_id: str) -> list[dict[str, Any]]:
    """The share's access rules."""
    found: list[dict[str, Any]] = shares.call("GET", f"/share-access-rules?share_id={share_id}").json()["access_list"]
    return found


def active(shares: Shares, rule_id: str) -> dict[str, Any]:
    """The rule once it holds."""

    def now() -> dict[str, Any] | None:
        rule: dict[str, Any] = shares.call("GET", f"/share-access-rules/{rule_id}").json()["access"]
        assert rule["state"] != "error", rule
        return rule if rule["state"] == "active" else None

    return eventually(now)


def deny(shares: Shares, share_id: str, rule_id: str) -> None:
    """Takes a rule away and waits until it is gone."""
    answer = shares.call("POST", f"/shares/{share_id}/action", {"deny_access": {"access_id": rule_id}})
    assert answer.status_code == 202
    eventually(lambda: rule_id not in {rule["id"] for rule in rules(shares, share_id)})


def test_a_share_is_creating_then_available(nfs: dict[str, Any], workspace: Workspace) -> None:
    """It belongs to the project and is open to nobody."""
    assert (nfs["status"], nfs["share_proto"], nfs["size"]) == ("available", "NFS", 1)
    assert nfs["project_id"] == workspace.project_id
    assert nfs["is_public"] is False
    assert nfs["access_rules_status"] == "active"
    assert nfs["share_type_name"] == "nfs"


def test_a_new_share_lets_nobody_in(shares: Shares, nfs: dict[str, Any]) -> None:
    """No rule at all: an export location is no permission."""
    assert rules(shares, nfs["id"]) == []
    locations = shares.call("GET", f"/shares/{nfs['id']}/export_locations").json()["export_locations"]
    assert all(":" in location["path"] for location in locations)
    assert locations


def test_an_ip_rule_becomes_active(shares: Shares, nfs: dict[str, Any]) -> None:
    """A prefix is taken as sent; the same again is a 400; it goes when denied."""
    answer = allow(shares, nfs["id"], "ip", "10.77.0.0/24", "ro")
    assert answer.status_code == 200
    made = answer.json()["access"]
    assert (made["access_type"], made["access_to"], made["access_level"]) == ("ip", "10.77.0.0/24", "ro")
    assert made["state"] in {"queued_to_apply", "applying", "active"}
    rule = active(shares, made["id"])
    assert rule["access_key"] is None
    again = allow(shares, nfs["id"], "ip", "10.77.0.0/24", "ro")
    assert again.status_code == 400
    error = again.json()["badRequest"]
    assert error["code"] == 400
    assert error["message"] == "Share access ip:10.77.0.0/24 exists."
    deny(shares, nfs["id"], made["id"])
    assert rules(shares, nfs["id"]) == []


@pytest.mark.parametrize(("kind", "who"), [("ip", "10.77.0.0/99"), ("ip", "nonsense"), ("guess", "x")])
def test_a_rule_that_says_nothing_is_400(shares: Shares, nfs: dict[str, Any], kind: str, who: str) -> None:
    """Manila reads the address before it keeps it."""
    assert allow(shares, nfs["id"], kind, who).status_code == 400


def test_a_cephx_rule_carries_its_key(shares: Shares, cephfs: dict[str, Any], workspace: Workspace) -> None:
    """The key that mounts the share is in the rule, for whoever may read the rule: it is a secret."""
    made = allow(shares, cephfs["id"], "cephx", workspace.name).json()["access"]
    rule = active(shares, made["id"])
    assert rule["access_key"].startswith("AQ")
    deny(shares, cephfs["id"], made["id"])


def test_access_rules_are_told_by_nobody(
    shares: Shares, nfs: dict[str, Any], notifications: Recorder, workspace: Workspace
) -> None:
    """No event when a rule comes or goes: drift of access is found by asking, not by listening."""
    mark = notifications.mark()
    made = allow(shares, nfs["id"], "ip", "10.78.0.0/24").json()["access"]
    active(shares, made["id"])
    deny(shares, nfs["id"], made["id"])
    told = notifications.wait_for_quiet(mark, lambda heard: heard.exchange == "openstack" and heard.mentions(nfs["id"]))
    assert told == []


def test_share_events(shares: Shares, notifications: Recorder, prefix: str, workspace: Workspace) -> None:
    """create and delete, .start and .end, on the exchange `openstack` with the publisher share.HOST."""
    mark = notifications.mark()
    made = shares.create(prefix, "NFS", "nfs")
    shares.delete(made["id"])
    told = notifications.wait_for_quiet(
        mark, lambda heard: heard.exchange == "openstack" and heard.mentions(made["id"])
    )
    assert [heard.event_type for heard in told] == [
        f"share.{action}.{phase}" for action in ("create", "delete") for phase in ("start", "end")
    ]
    assert {(heard.routing_key, heard.publisher) for heard in told} == {("notifications.info", "share")}
    created = told[1].payload
    assert created["share_id"] == made["id"]
    assert created["project_id"] == workspace.project_id
    assert created["proto"] == "NFS"
    # The status is that before the end: ask the API whether the share is available.
    assert created["status"] == "creating"


def test_names_are_no_markers_but_metadata_is(shares: Shares, workspace: Workspace, prefix: str) -> None:
    """Two shares may have one name; the filter on metadata finds the one."""
    found = []
    for number in ("1", "2"):
        body = {
            "share": {
                "share_proto": "NFS",
                "size": 1,
                "name": prefix,
                "share_type": "nfs",
                "metadata": {"tresor": f"{prefix}-{number}"},
            }
        }
        found.append(shares.call("POST", "/shares", body).json()["share"]["id"])
    by_name = shares.call("GET", f"/shares?name={prefix}").json()["shares"]
    assert {share["id"] for share in by_name} == set(found)
    marker = f"%7B%27tresor%27%3A%20%27{prefix}-2%27%7D"
    by_metadata = shares.call("GET", f"/shares?metadata={marker}").json()["shares"]
    assert [share["id"] for share in by_metadata] == [found[1]]
    for share_id in found:
        shares.wait_until_available(share_id)
        shares.delete(share_id)


def test_an_unknown_share_is_404(shares: Shares) -> None:
    """itemNotFound."""
    answer = shares.call("GET", "/shares/11111111-1111-1111-1111-111111111111")
    assert answer.status_code == 404
    assert answer.json()["itemNotFound"]["code"] == 404
