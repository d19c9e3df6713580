"""Bad input has no effect, loses nothing and makes one security event each (I11), on a real broker and database."""

import json
from datetime import timedelta
from typing import Any

import pytest

from contracts import provisioner
from contracts.envelope import COMMANDS_EXCHANGE, MAX_BODY_BYTES, Role
from contracts.examples import DOCUMENT
from contracts.workspace import Workspace
from shared.handlers import Handlers
from shared.signing import Signer, generate
from shared.testing import Site
from shared.work import Work

CREATE = provisioner.CreateWorkspace(document=Workspace.model_validate(DOCUMENT))
SUBJECT = CREATE.aggregate


def make_handlers() -> Handlers[None]:
    handlers: Handlers[None] = Handlers(provisioner)

    @handlers.on(provisioner.CreateWorkspace)
    async def create(command: provisioner.CreateWorkspace, tx: Work[None]) -> None:
        tx.emit(provisioner.WorkspaceEmptied(workspace=command.document.name, generation=1))

    return handlers


async def nothing(*_: object) -> None:
    return None


async def refusal(site: Site) -> str:
    """The reason of the one refusal there is, after a good command has passed behind it."""
    await site.command(CREATE)
    await site.tap.until(provisioner.CHASSIS.applied)
    (refused,) = site.tap.of(provisioner.CHASSIS.refused)
    assert len(site.tap.of(provisioner.WorkspaceEmptied)) == 1, "only the good command may have had an effect"
    return refused.reason


async def send(site: Site, body: bytes, signature: str | None, user: str = "operator") -> None:
    await site.publish(COMMANDS_EXCHANGE, CREATE.type, body, signature, user)


def envelope(site: Site, holder: str = "ana", **fields: Any) -> bytes:
    return site.command_envelope(CREATE, holder, **fields).model_dump_json(exclude_none=True).encode()


async def test_unsigned(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    await send(site, envelope(site), None)
    assert await refusal(site) == "unsigned"


async def test_changed_after_it_was_signed(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    body = envelope(site)
    await send(site, body.replace(b"ana@example.org", b"eve@example.org"), site.keys.signer("ana").sign(body))
    assert await refusal(site) == "bad-signature"


async def test_signed_with_a_key_that_only_claims_the_kid(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    forged, _ = generate("ana")
    body = envelope(site)
    await send(site, body, Signer("ana", forged).sign(body))
    assert await refusal(site) == "bad-signature"


async def test_unknown_key(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    stranger, _ = generate("eve")
    body = envelope(site, "eve")
    await send(site, body, Signer("eve", stranger).sign(body))
    assert await refusal(site) == "unknown-key"


@pytest.mark.parametrize("header", ['{"alg":"none","kid":"ana"}', '{"alg":"HS256","kid":"ana"}', '{"kid":"ana"}', "["])
async def test_another_algorithm(site: Site, header: str) -> None:
    import base64

    await site.start(make_handlers(), nothing)
    made = base64.urlsafe_b64encode(header.encode()).rstrip(b"=").decode()
    await send(site, envelope(site), f"{made}..AAAA")
    assert await refusal(site) == "bad-signature"


async def test_in_the_name_of_somebody_else(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    body = envelope(site, "ana", source="tresor/operator/sam")
    await send(site, body, site.keys.signer("ana").sign(body))
    assert await refusal(site) == "wrong-user"


async def test_expired(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    now = site.clock.now()
    body = envelope(site, time=now - timedelta(minutes=9), expiresat=now - timedelta(minutes=5))
    await send(site, body, site.keys.signer("ana").sign(body))
    assert await refusal(site) == "expired"


async def test_good_for_too_long(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    body = envelope(site, expiresat=site.clock.now() + timedelta(days=1))
    await send(site, body, site.keys.signer("ana").sign(body))
    assert await refusal(site) == "expired"


async def test_the_same_id_with_other_content(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    command_id = await site.command(CREATE)
    await site.tap.until(provisioner.CHASSIS.applied)
    other = site.command_envelope(CREATE, "ana", id=command_id).model_dump_json(exclude_none=True).encode()
    await send(site, other, site.keys.signer("ana").sign(other))
    refused = await site.tap.until(provisioner.CHASSIS.refused)
    assert refused.reason == "replayed"
    assert len(site.tap.of(provisioner.WorkspaceEmptied)) == 1


async def test_the_id_of_anothers_command(site: Site) -> None:
    site.keys.add("ben", frozenset({Role.OPERATOR}))
    await site.start(make_handlers(), nothing)
    command_id = await site.command(CREATE)
    await site.tap.until(provisioner.CHASSIS.applied)
    same = site.command_envelope(CREATE, "ben", id=command_id).model_dump_json(exclude_none=True).encode()
    await send(site, same, site.keys.signer("ben").sign(same))
    refused = await site.tap.until(provisioner.CHASSIS.refused)
    assert refused.reason == "replayed"
    assert "another's" in refused.detail
    assert len(site.tap.of(provisioner.WorkspaceEmptied)) == 1


async def test_the_same_bytes_again_give_the_same_outcome_and_no_second_effect(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    body = envelope(site)
    for _ in range(3):
        await send(site, body, site.keys.signer("ana").sign(body))
        await site.tap.until(provisioner.CHASSIS.applied)
    assert len(site.tap.of(provisioner.WorkspaceEmptied)) == 1
    assert not site.tap.of(provisioner.CHASSIS.refused)


async def test_a_key_for_other_workspaces(site: Site) -> None:
    site.keys.add("ben", frozenset({Role.OPERATOR}), workspaces=("physics-*",))
    await site.start(make_handlers(), nothing)
    await site.command(CREATE, "ben")
    assert await refusal(site) == "wrong-workspace"


async def test_a_key_revoked_while_the_service_runs(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    site.keys.add("ben", frozenset({Role.OPERATOR}), days=-1)
    await site.command(CREATE, "ben")
    assert await refusal(site) == "revoked-key"


async def test_meant_for_another_service(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    body = envelope(site, audience="storage")
    await send(site, body, site.keys.signer("ana").sign(body))
    assert await refusal(site) == "wrong-audience"


async def test_a_subject_that_is_not_the_document(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    body = envelope(site, subject="genome-1")
    await send(site, body, site.keys.signer("ana").sign(body))
    assert await refusal(site) == "malformed"


async def test_a_broken_document_is_rejected_with_the_field(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    data = {"document": {**DOCUMENT, "expiry": "soon", "sensitivty": "open"}}
    body = envelope(site, data=data)
    await send(site, body, site.keys.signer("ana").sign(body))
    rejected = await site.tap.until(provisioner.CHASSIS.rejected)
    assert {problem.field for problem in rejected.problems} == {"document.expiry", "document.sensitivty"}


BOMBS = {
    "not JSON": b"\x00\x01",
    "cut off": b'{"specversion": "1.0"',
    "NaN": b'{"a": NaN}',
    "a key twice": b'{"id": 1, "id": 2}',
    "a huge integer": b'{"a": ' + b"9" * 5000 + b"}",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "many": b"[" + b"1," * 60_000 + b"1]",
    "a lone surrogate": b'{"a": "\\ud800"}',
    "a list": b"[]",
}


@pytest.mark.parametrize("name", BOMBS)
async def test_no_envelope_at_all(site: Site, name: str) -> None:
    await site.start(make_handlers(), nothing)
    body = BOMBS[name]
    await send(site, body, site.keys.signer("ana").sign(body))
    assert await refusal(site) == "malformed"


async def test_too_large_is_not_even_parsed(site: Site) -> None:
    await site.start(make_handlers(), nothing)
    body = b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}'
    await send(site, body, site.keys.signer("ana").sign(body))
    assert await refusal(site) == "too-large"


async def test_refused_bytes_are_kept_in_quarantine(site: Site) -> None:
    service = await site.start(make_handlers(), nothing)
    body = envelope(site)
    await send(site, body, None)
    refused = await site.tap.until(provisioner.CHASSIS.refused)
    row = await service.pool.fetchrow("SELECT * FROM quarantine")
    assert row is not None
    assert bytes(row["body"]) == body
    assert refused.digest == f"sha256:{row['digest'].hex()}"


async def test_an_event_signed_by_another_service_is_refused(site: Site) -> None:
    handlers = make_handlers()
    from contracts import network_policy

    @handlers.on(network_policy.PolicyWithdrawn)
    async def withdrawn(seen: network_policy.PolicyWithdrawn, tx: Work[None]) -> None:
        tx.emit(provisioner.WorkspaceDeleted(workspace=seen.workspace, generation=seen.generation))

    await site.start(handlers, nothing)
    event = network_policy.PolicyWithdrawn(workspace=SUBJECT, generation=1)
    good = json.dumps(
        {
            "specversion": "1.0", "id": site.ids.uuid(), "type": event.type, "source": "tresor/network-policy",
            "subject": SUBJECT, "time": site.clock.now().isoformat(), "dataschema": f"tresor:{event.type}:1",
            "datacontenttype": "application/json", "correlationid": site.ids.uuid(), "sequence": 1, "data": event.model_dump(),
        }
    ).encode()  # fmt: skip
    await site.publish("tresor.events", event.type, good, site.keys.signer("storage").sign(good), "network-policy")
    assert (await site.tap.until(provisioner.CHASSIS.refused)).reason == "wrong-user"
    assert not site.tap.of(provisioner.WorkspaceDeleted)
