"""Faults on demand: each leaves the effect that it says, and strikes as often as it says."""

import time
from collections.abc import Callable

import pytest
from keystoneauth1 import exceptions as auth_exceptions

from tests.lab.cloud import Sdk
from twin.testing import RunningTwin

GROUPS = {"service": "neutron", "method": "POST", "path": r"/security-groups$"}


def groups_named(admin: Sdk, name: str) -> int:
    """How many groups there are of a name."""
    return len(list(admin.network.security_groups(name=name)))


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"), [("500", 500, None), ("503", 503, "7"), ("429", 429, "7"), ("409", 409, None)]
)
def test_a_refusal_has_no_effect(
    twin: RunningTwin, admin: Sdk, kind: str, status: int, retry_after: str | None
) -> None:
    """The status, Retry-After where it belongs, and no group; the next call is served."""
    admin.network.get("/extensions")
    twin.faults({"kind": kind, "count": 1, "seconds": 7, **GROUPS})
    body = {"security_group": {"name": "struck"}}
    answer = admin.network.post("/security-groups", json=body, raise_exc=False)
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == retry_after
    assert "NeutronError" in answer.json()
    assert groups_named(admin, "struck") == 0
    assert admin.network.post("/security-groups", json=body).status_code == 201


@pytest.mark.parametrize(
    ("service", "path", "call", "status"),
    [
        ("nova", "/servers$", lambda c: c.compute.post("/servers", json={"server": {}}, raise_exc=False), 403),
        ("cinder", "/volumes$", lambda c: c.block_storage.post("/volumes", json={}, raise_exc=False), 413),
        ("manila", "/shares$", lambda c: c.shared_file_system.post("/shares", json={}, raise_exc=False), 413),
        ("neutron", "/ports$", lambda c: c.network.post("/ports", json={}, raise_exc=False), 409),
    ],
)
def test_over_quota_is_said_as_the_service_says_it(
    twin: RunningTwin, admin: Sdk, service: str, path: str, call: Callable[[Sdk], object], status: int
) -> None:
    """Nova says 403, Neutron 409, Cinder and Manila 413."""
    twin.faults({"kind": "quota", "service": service, "method": "POST", "path": path})
    assert getattr(call(admin), "status_code", None) == status


def test_what_was_just_made_is_not_seen_for_a_while(twin: RunningTwin, admin: Sdk) -> None:
    """Neither in a list nor by its id; what is changed by its id is changed."""
    admin.network.get("/extensions")
    older = admin.network.create_security_group(name="older")
    twin.advance(10)
    twin.faults({"kind": "unseen", "service": "neutron", "method": "GET", "seconds": 5})
    made = admin.network.create_security_group(name="made")
    assert groups_named(admin, "made") == 0
    assert admin.network.get(f"/security-groups/{made.id}", raise_exc=False).status_code == 404
    assert groups_named(admin, "older") == 1
    assert admin.network.get(f"/security-groups/{older.id}").status_code == 200
    body = {"security_group": {"description": "changed"}}
    assert admin.network.put(f"/security-groups/{made.id}", json=body).status_code == 200
    twin.advance(5)
    assert groups_named(admin, "made") == 1
    assert admin.network.get(f"/security-groups/{made.id}").json()["security_group"]["description"] == "changed"


def test_a_lost_response_leaves_its_effect(twin: RunningTwin, admin: Sdk) -> None:
    """The connection is cut without a byte, and the group is there."""
    admin.network.get("/extensions")
    twin.faults({"kind": "lost_response", "count": 1, **GROUPS})
    with pytest.raises(auth_exceptions.ConnectFailure):
        admin.network.create_security_group(name="made")
    assert groups_named(admin, "made") == 1


def test_slow_is_slow_and_works(twin: RunningTwin, admin: Sdk) -> None:
    """The call takes that long, others do not."""
    admin.network.get("/extensions")
    twin.faults({"kind": "slow", "seconds": 0.6, "count": 1, **GROUPS})
    begin = time.monotonic()
    admin.network.create_security_group(name="late")
    assert time.monotonic() - begin >= 0.6
    assert groups_named(admin, "late") == 1


def test_probability_is_drawn_from_the_seed(twin: RunningTwin, admin: Sdk) -> None:
    """Two runs of the same calls are struck at the same places, and about as often as asked."""

    def run() -> list[int]:
        twin.reset()
        admin.image.get("/images")
        twin.faults({"kind": "500", "probability": 0.5, "service": "glance"})
        return [admin.image.get("/images", raise_exc=False).status_code for _ in range(40)]

    first, second = run(), run()
    assert first == second
    assert 8 <= first.count(500) <= 32


def test_rules_are_listed_counted_and_taken_away(twin: RunningTwin, admin: Sdk) -> None:
    """`struck` counts; a rule's end by count leaves it listed; a clear takes all."""
    twin.faults({"kind": "500", "count": 1, "service": "glance"})
    admin.image.get("/images", raise_exc=False)
    (rule,) = twin.faults()
    assert (rule["kind"], rule["struck"]) == ("500", 1)
    twin.clear_faults()
    assert twin.faults() == []


def test_nonsense_is_refused(twin: RunningTwin, admin: Sdk) -> None:
    """An unknown kind or field, and a pattern that is none."""
    for document in ({"kind": "meteor"}, {"kind": "500", "often": 1}, {"kind": "500", "path": "("}):
        answer = admin.session.post(f"{twin.base_url}/twin/faults", json=document, raise_exc=False)
        assert answer.status_code == 400
