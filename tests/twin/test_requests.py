"""The twin's record of the calls that it got."""

from tests.lab.cloud import Sdk
from twin.testing import RunningTwin

REQUEST_ID = "req-0198c0de-0000-4000-8000-00000000abcd"


def test_a_write_is_kept_with_who_when_and_what(twin: RunningTwin, admin: Sdk) -> None:
    """Its body, its answer's status and the global request id it carried; reads are left out of the writes."""
    admin.network.get("/extensions")
    before = twin.requests(writes_only=False)[-1]["number"]
    admin.network.get("/security-groups")
    body = {"security_group": {"name": "seen"}}
    admin.network.post("/security-groups", json=body, headers={"X-OpenStack-Request-ID": REQUEST_ID})
    (write,) = twin.requests(before)
    assert (write["service"], write["method"], write["status"]) == ("neutron", "POST", 201)
    assert write["path"].endswith("/security-groups")
    assert (write["body"], write["user_name"], write["global_request_id"]) == (body, "admin", REQUEST_ID)
    assert [each["method"] for each in twin.requests(before, writes_only=False)] == ["GET", "POST"]


def test_no_password_is_kept(twin: RunningTwin, admin: Sdk) -> None:
    """What goes to Keystone is counted, not copied."""
    admin.identity.create_user(name="somebody", password="not-to-be-kept")
    asked = [each for each in twin.requests(writes_only=False) if each["service"] == "keystone"]
    assert asked
    assert {each["body"] for each in asked} == {None}
