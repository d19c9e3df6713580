"""Both formats, every recorded message, and what is no notification."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.openstack import Unmodelled
from contracts.openstack.neutron import NetworkPayload, Port, SecurityGroupRule
from contracts.openstack.nova import UnversionedServer, VersionedServer
from shared.notifications import BrokenNotification, Raw, decode, scan, seal
from shared.notifications.decode import load
from shared.notifications.raw import MAX_BODY_BYTES
from shared.notifications.redaction import redact
from tests.shared.recording import notification, plain, recorded, wrapped

TOKEN = "gAAAAABrAQN7WFdcQENlu4GkBeSnuuzDlYbwUVYXi2TCtfoEtjA8KPF6fPN74iPDCB-2a_OHqHxaTAAQa4bRu6xCDgjprlXK2w"


def test_every_recorded_message_decodes_to_a_model() -> None:
    decoded = [decode(raw) for raw in recorded()]
    assert len(decoded) > 500
    unmodelled = {one.event_type for one in decoded if isinstance(one.payload, Unmodelled)}
    assert unmodelled == set()
    assert [one.event_type for one in decoded if one.payload.misfits] == []
    assert all(one.timestamp is not None and one.request_id for one in decoded if one.event_type.startswith("compute"))
    assert {one.versioned for one in decoded} == {True, False}


def test_a_scan_says_what_a_full_decode_says() -> None:
    for raw in recorded():
        heading, whole = scan(raw), decode(raw)
        assert heading == tuple(getattr(whole, name) for name in heading._fields)


def test_recorded_names() -> None:
    server = next(one for one in map(decode, recorded()) if one.event_type == "compute.instance.create.end")
    assert isinstance(server.payload, UnversionedServer)
    assert server.resource_id == server.payload.instance_id
    assert server.payload.state == "active"
    assert server.payload.launched_at is not None
    assert server.payload.fixed_ips[0].address is not None
    assert server.project_id == server.payload.project_id
    assert server.phase == "end"
    newer = next(one for one in map(decode, recorded()) if one.event_type == "instance.create.end")
    assert isinstance(newer.payload, VersionedServer)
    assert newer.payload.flavor is not None
    assert newer.payload.flavor.vcpus == 1
    assert newer.payload.addresses[0].port_uuid is not None
    rule = next(one for one in map(decode, recorded()) if one.event_type == "security_group_rule.create.end")
    assert isinstance(rule.payload, NetworkPayload)
    assert isinstance(rule.payload.resource, SecurityGroupRule)
    assert rule.payload.resource.direction in ("ingress", "egress")
    port = next(one for one in map(decode, recorded()) if one.event_type == "port.delete.end")
    assert isinstance(port.payload, NetworkPayload)
    assert isinstance(port.payload.resource, Port)
    assert port.resource_id == port.payload.deleted_id == port.payload.resource.id


def test_identity_comes_from_the_initiator() -> None:
    said = next(one for one in map(decode, recorded()) if one.event_type == "identity.role_assignment.created")
    assert said.request_id is not None
    assert said.request_id.startswith("req-")
    assert said.user_name == "admin"
    assert said.remote_address == "127.0.0.1"


@pytest.mark.parametrize("dress", [plain, wrapped])
@pytest.mark.parametrize(
    "payload", [None, [], "text", 5, {}, {"x": [{"y": None}]}, {"instance_id": ["odd"], "vcpus": {}}]
)
def test_whatever_the_payload_it_decodes(dress: Any, payload: Any) -> None:
    for event_type in (
        "compute.instance.update",
        "port.update.end",
        "identity.user.created",
        "never.heard.of",
        "image.send",
    ):
        raw = dress(notification(event_type, payload))
        assert decode(raw).event_type == event_type
        assert scan(raw).event_type == event_type


def test_bulk_and_bare_deletes_of_neutron() -> None:
    bulk = decode(wrapped(notification("port.create.end", {"ports": [{"id": "a"}, {"id": "b"}]})))
    assert isinstance(bulk.payload, NetworkPayload)
    assert bulk.payload.resource_ids == ("a", "b")
    assert bulk.resource_id is None
    policies = decode(
        wrapped(notification("rbac_policy.create.end", {"rbac_policies": [{"id": "r", "target_tenant": "*"}]}))
    )
    assert policies.resource_id == "r"
    gone = decode(wrapped(notification("security_group.delete.start", {"security_group_id": "g"})))
    assert gone.resource_id == "g"


def test_missing_and_null_fields_are_taken() -> None:
    message = notification("volume.create.end", {"volume_id": "v", "size": "", "metadata": None, "created_at": ""})
    for name in ("timestamp", "publisher_id", "priority", "_context_request_id", "_context_project_id"):
        message[name] = None
    said = decode(wrapped(message))
    assert (said.timestamp, said.publisher_id, said.request_id, said.resource_id) == (None, "", None, "v")
    assert scan(wrapped(message)).event_type == "volume.create.end"


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "not UTF-8": b'{"event_type": "\xff\xfe", "message_id": "m"}',
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "no event type": b'{"message_id": "m", "payload": {}}',
    "event type of another type": b'{"message_id": "m", "event_type": 5}',
    "event type with a line feed": b'{"message_id": "m", "event_type": "a\\nb"}',
    "event type too long": b'{"message_id": "m", "event_type": "' + b"a" * 300 + b'"}',
    "no message id": b'{"event_type": "a.b", "payload": {}}',
    "message id of another type": b'{"message_id": {}, "event_type": "a.b"}',
    "publisher of another type": b'{"message_id": "m", "event_type": "a.b", "publisher_id": ["x"]}',
    "the text inside is no text": b'{"oslo.version": "2.0", "oslo.message": {"event_type": "a"}}',
    "the text inside is no JSON": b'{"oslo.version": "2.0", "oslo.message": "{"}',
    "the text inside is cut": wrapped(notification("a.b", {"x": 1})).body[:-60] + b'"}',
    "NaN": b'{"message_id": "m", "event_type": "a.b", "payload": {"x": NaN}}',
    "infinity inside": b'{"oslo.version": "2.0", "oslo.message": "{\\"message_id\\": \\"m\\", \\"event_type\\": \\"a\\", \\"x\\": -Infinity}"}',
    "a key twice": b'{"message_id": "m", "event_type": "a.b", "event_type": "c.d"}',
    "a key twice, hidden": b'{"message_id": "m", "event_type": "a.b", "payload": {"a": 1, "a": "\\u0022"}}',
    "an integer of 5,000 digits": b'{"message_id": "m", "event_type": "a.b", "payload": ' + b"1" * 5000 + b"}",
    "an integer of 65 bits": b'{"message_id": "m", "event_type": "a.b", "payload": 18446744073709551616}',
    "a lone surrogate": b'{"message_id": "m", "event_type": "a.b", "payload": "\\ud800"}',
    "a lone surrogate inside": b'{"oslo.version": "2.0", "oslo.message": "{\\"message_id\\": \\"m\\", \\"event_type\\": \\"a\\", \\"x\\": \\"\\\\udfff\\"}"}',
    "nested 100,000 deep": b'{"message_id": "m", "event_type": "a.b", "payload": '
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
    "nested 100 deep": b'{"message_id": "m", "event_type": "a.b", "payload": ' + b"[" * 100 + b"]" * 100 + b"}",
    "too large": b'{"message_id": "m", "event_type": "a.b", "payload": "' + b"x" * MAX_BODY_BYTES + b'"}',
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_says_so_once_and_clearly(name: str) -> None:
    raw = Raw(BROKEN[name], "nova", "notifications.info")
    with pytest.raises(BrokenNotification) as caught:
        decode(raw)
    assert str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_body_that_was_cut_for_its_size_is_refused() -> None:
    cut = Raw(b"", "nova", "notifications.info", False, MAX_BODY_BYTES + 1)
    for read in (decode, scan, seal):
        with pytest.raises(BrokenNotification, match="octets"):
            read(cut)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        ["compute.instance.update", "port.create.end", "identity.authenticate", "volume.attach.end", "x.y"]
    ),
    _json,
    st.dictionaries(
        st.sampled_from(["_unique_id", "_context_project_id", "timestamp", "event_type", "message_id"]), _json
    ),
)
def test_a_payload_never_speaks_for_the_envelope(event_type: str, payload: Any, keys: dict[str, Any]) -> None:
    message = notification(event_type, {"metadata": keys, "more": payload})
    for dress in (wrapped, plain):
        raw = dress(message)
        heading, whole = scan(raw), decode(raw)
        assert heading.event_type == whole.event_type == event_type
        assert heading.message_id == whole.message_id == message["message_id"]
        assert heading.project_id == whole.project_id == message["_context_project_id"]
        assert heading.timestamp == whole.timestamp


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    for read in (decode, scan, seal):
        try:
            read(Raw(body, "nova", "notifications.info"))
        except BrokenNotification:
            continue


SECRETS: list[dict[str, Any]] = [
    {"user_data": "I2Nsb3VkLWNvbmZpZw=="},
    {"args": {"instance": {"user_data": "I2Nsb3VkLWNvbmZpZw=="}}},
    {"adminPass": "I2Nsb3VkLWNvbmZpZw=="},
    {"new_pass": "x", "admin_password": "I2Nsb3VkLWNvbmZpZw=="},
    {"pci_requests": {"_context": {"auth_token": "I2Nsb3VkLWNvbmZpZw=="}}},
    {"access_key": "I2Nsb3VkLWNvbmZpZw=="},
    {"psk": "I2Nsb3VkLWNvbmZpZw=="},
    {"system_metadata": {"password_0": "I2Nsb3VkLWNvbmZpZw=="}},
    {"exception": "Context {'auth_token': 'I2Nsb3VkLWNvbmZpZw=='} failed"},
    {"reason": "user_data=I2Nsb3VkLWNvbmZpZw== is bad"},
    {"reason": "PSK=I2Nsb3VkLWNvbmZpZw=="},
    {"reason": "no bucket for access_key: I2Nsb3VkLWNvbmZpZw=="},
    {"public_key": "ssh-ed25519 AAAA", "private_key": "I2Nsb3VkLWNvbmZpZw=="},
    {"credential": {"type": "ec2", "blob": "I2Nsb3VkLWNvbmZpZw=="}},
    {"message": f"token {TOKEN} expired, I2Nsb3VkLWNvbmZpZw==".replace(", I2Nsb3VkLWNvbmZpZw==", "")},
]


@pytest.mark.parametrize("dress", [plain, wrapped])
@pytest.mark.parametrize("payload", SECRETS, ids=lambda payload: next(iter(payload)))
def test_secrets_are_taken_out_before_anything_is_stored(dress: Any, payload: dict[str, Any]) -> None:
    raw = dress(notification("compute.instance.rebuild.error", payload))
    sealed = seal(raw)
    assert sealed.redacted
    stored = sealed.body.decode()
    assert "I2Nsb3VkLWNvbmZpZw" not in stored
    assert TOKEN not in stored
    assert "I2Nsb3VkLWNvbmZpZw" not in repr(decode(raw))
    assert TOKEN not in repr(decode(raw))
    again = seal(Raw(sealed.body, raw.exchange, raw.routing_key))
    assert again.body == sealed.body
    assert again.heading == sealed.heading


_NAMES = st.sampled_from(
    [
        "user_data",
        "password",
        "passwd",
        "passphrase",
        "adminPass",
        "admin_pass",
        "access_key",
        "private_key",
        "secret_key",
        "secretkey",
        "secret",
        "psk",
        "token",
        "auth_token",
        "token_info",
        "credential",
        "credentials",
        "public_key",
        "key_name",
        "name",
    ]
).flatmap(lambda name: st.sampled_from([name, name.upper(), name.title(), f"_{name}", f"{name}_x", name[:-1]]))
_TEXTS = st.tuples(
    _NAMES, st.sampled_from(["=", ":", "=u'", '="', "'", '":', '"']), st.sampled_from([TOKEN, "hunter2", "null"])
)


@given(payload=st.dictionaries(_NAMES, st.text(max_size=5) | _TEXTS.map("".join) | st.dictionaries(_NAMES, _NAMES)))
@settings(max_examples=1000, deadline=None)
def test_the_look_ahead_of_decoding_misses_no_secret(payload: dict[str, Any]) -> None:
    raw = wrapped(notification("compute.instance.update", payload))
    assert seal(raw).redacted == redact(load(raw))


def test_a_token_in_the_context_is_taken_out() -> None:
    raw = wrapped(notification("compute.instance.update", {"instance_id": "i"}, _context_auth_token="0f" * 16))
    sealed = seal(raw)
    assert "0f" * 16 not in sealed.body.decode()
    assert json.loads(json.loads(sealed.body)["oslo.message"])["_context_auth_token"] == "[redacted]"


def test_what_holds_no_secret_is_kept_octet_for_octet() -> None:
    kept = 0
    for raw in recorded():
        sealed = seal(raw)
        if not sealed.redacted:
            assert sealed.body is raw.body
            kept += 1
        inner = orjson.loads(orjson.loads(sealed.body)["oslo.message"])
        assert inner["event_type"] == sealed.heading.event_type
    assert kept > 500
