"""What all services have in common: request ids, error bodies, microversions, and the form of a notification."""

import json
import re
from typing import Any

import pytest

from tests.lab.cloud import Sdk, Workspace
from tests.lab.recorder import Recorder

NOBODY = "11111111-1111-1111-1111-111111111111"
REQUEST_ID = re.compile(r"^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
OSLO_TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$")


def proxies(connection: Sdk) -> dict[str, tuple[Any, str]]:
    """Each service with the address of something that is not there."""
    return {
        "identity": (connection.identity, f"/users/{NOBODY}"),
        "compute": (connection.compute, f"/servers/{NOBODY}"),
        "network": (connection.network, f"/networks/{NOBODY}"),
        "block_storage": (connection.block_storage, f"/volumes/{NOBODY}"),
        "shared_file_system": (connection.shared_file_system, f"/shares/{NOBODY}"),
        "image": (connection.image, f"/images/{NOBODY}"),
        "baremetal": (connection.baremetal, f"/nodes/{NOBODY}"),
    }


@pytest.mark.parametrize(
    "service", ["identity", "compute", "network", "block_storage", "shared_file_system", "image", "baremetal"]
)
def test_every_answer_names_its_request(system: Sdk, admin: Sdk, service: str) -> None:
    """x-openstack-request-id on every answer, errors too: the thread to OpenStack's own logs."""
    proxy, path = proxies(system if service == "baremetal" else admin)[service]
    answer = proxy.get(path, raise_exc=False)
    assert answer.status_code == 404
    assert REQUEST_ID.match(answer.headers["x-openstack-request-id"])


def test_error_bodies_differ_by_service(admin: Sdk, system: Sdk) -> None:
    """Five forms: whoever reads an error has to know whose it is."""
    found = {}
    for service, (proxy, path) in proxies(admin).items():
        if service in {"image", "baremetal"}:
            continue
        found[service] = proxy.get(path, raise_exc=False).json()
    assert found["identity"]["error"]["title"] == "Not Found"
    assert found["compute"]["itemNotFound"] == {"code": 404, "message": f"Instance {NOBODY} could not be found."}
    assert found["network"]["NeutronError"]["type"] == "NetworkNotFound"
    assert found["block_storage"]["itemNotFound"]["code"] == 404
    assert found["shared_file_system"]["itemNotFound"]["code"] == 404
    image = admin.image.get(f"/images/{NOBODY}", raise_exc=False)
    assert image.headers["Content-Type"].startswith("text/html")
    node = system.baremetal.get(f"/nodes/{NOBODY}", raise_exc=False).json()
    # A JSON text inside the JSON body.
    assert json.loads(node["error_message"]) == {
        "faultcode": "Client",
        "faultstring": f"Node {NOBODY} could not be found.",
        "debuginfo": None,
    }


@pytest.mark.parametrize("service", ["compute", "network", "block_storage", "identity"])
def test_no_token_is_401(admin: Sdk, service: str) -> None:
    """With the address of Keystone in WWW-Authenticate."""
    endpoint = admin.endpoint_for({"block_storage": "block-storage"}.get(service, service))
    path = {"compute": "/servers", "network": "/v2.0/networks", "block_storage": "/volumes", "identity": "/projects"}
    answer = admin.session.get(endpoint.rstrip("/") + path[service], authenticated=False, raise_exc=False)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")
    assert answer.json()["error"]["code"] == 401


def test_an_unknown_microversion_is_406(admin: Sdk) -> None:
    """Nova names the range it supports; without one asked for it answers as 2.1."""
    answer = admin.compute.get("/servers", microversion="2.999", raise_exc=False)
    assert answer.status_code == 406
    assert re.search(r"Minimum is 2\.1 and maximum is 2\.\d+", answer.json()["computeFault"]["message"])
    assert admin.compute.get("/servers").headers["OpenStack-API-Version"] == "compute 2.1"


def test_servers_come_in_pages(admin: Sdk, workspace: Workspace) -> None:
    """An empty list has no link to a next page."""
    answer = workspace.connection.compute.get("/servers/detail", params={"limit": 1})
    assert answer.json() == {"servers": []}


def test_a_notification_is_json_in_json(admin: Sdk, notifications: Recorder, prefix: str) -> None:
    """The envelope, AMQP properties and the fields that every message has, whoever published it."""
    mark = notifications.mark()
    group = admin.network.create_security_group(name=prefix)
    admin.network.delete_security_group(group)
    heard = notifications.wait_for(mark, lambda heard: heard.mentions(group.id))[0]
    assert heard.envelope.keys() == {"oslo.version", "oslo.message"}
    assert heard.envelope["oslo.version"] == "2.0"
    assert json.loads(heard.envelope["oslo.message"]) == heard.message
    assert heard.properties["content_type"] == "application/json"
    assert heard.properties["content_encoding"] == "utf-8"
    assert "message_id" not in heard.properties
    assert {"message_id", "_unique_id", "event_type", "priority", "publisher_id", "timestamp", "payload"} <= set(
        heard.message
    )
    assert heard.message["priority"] == "INFO"
    assert OSLO_TIME.match(heard.message["timestamp"])
    assert re.fullmatch(r"[0-9a-f]{32}", heard.message["_unique_id"])


def test_a_notification_names_the_request_that_caused_it(admin: Sdk, notifications: Recorder, prefix: str) -> None:
    """_context_request_id is the answer's x-openstack-request-id, _context_global_request_id what the caller sent."""
    mark = notifications.mark()
    mine = "req-11111111-2222-4333-8444-555555555555"
    answer = admin.network.post(
        "/security-groups", json={"security_group": {"name": prefix}}, headers={"X-Openstack-Request-Id": mine}
    )
    group = answer.json()["security_group"]
    admin.network.delete_security_group(group["id"])
    heard = notifications.wait_for(mark, lambda heard: heard.mentions(group["id"]))[0]
    assert heard.message["_context_request_id"] == answer.headers["x-openstack-request-id"]
    assert heard.message["_context_global_request_id"] == mine
    assert heard.message["_context_project_id"] == admin.current_project_id
    assert heard.message["_context_user_id"] == admin.current_user_id


def test_cinder_and_manila_have_no_exchange_of_their_own(notifications: Recorder) -> None:
    """They publish on oslo.messaging's default, `openstack`: who binds `cinder` hears nothing."""
    assert not notifications.exchange_exists("cinder")
    assert not notifications.exchange_exists("manila")
