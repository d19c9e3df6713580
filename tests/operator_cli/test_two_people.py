"""`tresor quarantine`, `release`, `approvals`, `approve`, `deny`, `ports`: words, data and exit codes, on a real broker."""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from contracts import network_policy
from contracts.network_policy import (
    Duplicate,
    DuplicateFound,
    DuplicatesListed,
    EvidenceShown,
    ListDuplicates,
    ListQuarantines,
    Quarantine,
    QuarantinesListed,
    QuarantineWorkspace,
    ReleaseWorkspace,
    RemoveDuplicate,
    ShowEvidence,
)
from shared.errors import Rejected
from shared.handlers import Handlers
from shared.service import Service
from shared.testing import Site
from shared.work import Work
from tests.operator_cli.conftest import Tresor

FOUND = DuplicateFound.model_validate(DuplicateFound.example).duplicate
SPURIOUS = FOUND.spurious[0].port_id
LIVE = next(port.port_id for port in FOUND.ports if port.port_id != SPURIOUS)


@dataclass
class Memory:
    """What the double was asked to do."""

    quarantines: list[Quarantine] = field(default_factory=list)
    released: list[tuple[str, ReleaseWorkspace]] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=lambda: [FOUND])
    evidence: list[str] = field(default_factory=list)


def make_handlers() -> Handlers[Memory]:
    """network-policy without a cloud."""
    handlers: Handlers[Memory] = Handlers(network_policy)

    @handlers.on(QuarantineWorkspace)
    async def quarantine(command: QuarantineWorkspace, tx: Work[Memory]) -> None:
        if command.workspace == "nowhere":
            raise Rejected("there is no workspace 'nowhere'")
        assert tx.cause is not None
        tx.context.quarantines.append(
            Quarantine(
                quarantine_id=tx.cause.id, workspace=command.workspace, generation=3, role=command.role,
                node=command.node, reason=command.reason, holder=tx.holder, state="held", ports=1, floating_ips=0,
                ordered_at=tx.now,
            )
        )  # fmt: skip

    @handlers.on(ReleaseWorkspace)
    async def release(command: ReleaseWorkspace, tx: Work[Memory]) -> None:
        tx.context.released.append((tx.holder, command))

    @handlers.on(RemoveDuplicate)
    async def remove(command: RemoveDuplicate, tx: Work[Memory]) -> None:
        assert (command.port_id, command.evidence) == (SPURIOUS, FOUND.evidence)
        tx.context.duplicates.clear()

    @handlers.answer(ListQuarantines)
    async def quarantines(query: ListQuarantines, tx: Work[Memory]) -> QuarantinesListed:
        found = (one for one in tx.context.quarantines if query.of in (None, one.workspace))
        return QuarantinesListed(quarantines=tuple(found))

    @handlers.answer(ShowEvidence)
    async def evidence(query: ShowEvidence, tx: Work[Memory]) -> EvidenceShown:
        (held,) = (one for one in tx.context.quarantines if one.quarantine_id == query.quarantine_id)
        pieces = tx.context.evidence
        if not pieces:
            return EvidenceShown(quarantine=held, part=0, parts=0, content="")
        return EvidenceShown(quarantine=held, part=query.part, parts=len(pieces), content=pieces[query.part - 1])

    @handlers.answer(ListDuplicates)
    async def duplicates(query: ListDuplicates, tx: Work[Memory]) -> DuplicatesListed:
        return DuplicatesListed(duplicates=tuple(tx.context.duplicates), scanned_at=tx.now)

    return handlers


async def make_context(*_: object) -> Memory:
    return Memory()


@pytest.fixture
async def served(site: Site) -> Service[Memory]:
    """The double, running."""
    return await site.start(make_handlers(), make_context)


@pytest.fixture
def sam(site: Site, operator: Tresor) -> Tresor:
    """The command as Sam, a security officer."""

    async def run(*arguments: str, stdin: str = "", **environment: str) -> Any:
        return await operator(
            *arguments, stdin=stdin, **{**environment, "TRESOR_SIGNING_KEY_PATH": str(site.keys.path("sam"))}
        )

    return run


async def test_one_person_cuts_off_and_two_release(served: Service[Memory], operator: Tresor, sam: Tresor) -> None:
    ended = await operator("quarantine", "openhpc", "--role", "login", "--reason", "beacons")
    assert ended.code == 0, ended.err
    assert "is applied" in ended.err
    listed = await operator("quarantine", "list", "-o", "json")
    (one,) = json.loads(listed.out)["quarantines"]
    assert (one["role"], one["holder"], one["reason"]) == ("login", "ana", "beacons")
    shown = await operator("quarantine", "list")
    assert "role login" in shown.out
    asked = await operator("release", "openhpc", "--reason", "looked over")
    assert asked.code == 0, asked.err
    waiting = json.loads((await operator("approvals", "-o", "json")).out)["commands"]
    command_id = waiting[0]["command_id"]
    assert f"tresor approve {command_id}" in asked.err
    assert json.loads(waiting[0]["body"])["expectedgeneration"] == 3
    assert command_id in (await sam("approvals")).out
    own = await operator("approve", command_id, "--yes")
    assert own.code == 3
    assert "another person has to approve it" in own.err
    unasked = await sam("approve", command_id)
    assert (unasked.code, "give --yes" in unasked.err) == (2, True)
    assert served.runtime.context.released == []
    approved = await sam("approve", command_id, "--yes")
    assert approved.code == 0, approved.err
    for words in ("network-policy.workspace.release of ana for openhpc", "at generation 3", '"reason": "looked over"'):
        assert words in approved.err
    async with asyncio.timeout(30):
        while not served.runtime.context.released:
            await asyncio.sleep(0.1)
    ((holder, command),) = served.runtime.context.released
    assert (holder, command.quarantine_id) == ("ana", one["quarantine_id"])
    again = await sam("approve", command_id, "--yes")
    assert (again.code, "waits for approval" in again.err) == (1, True)
    assert "Nothing waits" in (await sam("approvals")).out


async def test_what_waits_is_withdrawn_or_denied(served: Service[Memory], operator: Tresor, sam: Tresor) -> None:
    await operator("quarantine", "openhpc", "--reason", "beacons")
    for judge in (operator, sam):
        await operator("release", "openhpc", "--reason", "looked over")
        (one,) = json.loads((await operator("approvals", "-o", "json")).out)["commands"]
        denied = await judge("deny", one["command_id"], "--reason", "not yet")
        assert denied.code == 0, denied.err
    assert served.runtime.context.released == []


async def test_what_is_wrong_about_a_quarantine_has_its_code(served: Service[Memory], operator: Tresor) -> None:
    assert (await operator("quarantine", "openhpc")).code == 2
    both = await operator("quarantine", "openhpc", "--role", "a", "--node", "b", "--reason", "beacons")
    assert (both.code, "not both" in both.err) == (2, True)
    assert (await operator("quarantine", "nowhere", "--reason", "beacons")).code == 3
    assert (await operator("release", "openhpc", "--reason", "beacons")).code == 1
    for role in ("login", "compute"):
        await operator("quarantine", "openhpc", "--role", role, "--reason", "beacons")
    several = await operator("release", "openhpc", "--reason", "beacons")
    assert (several.code, "--id" in several.err) == (2, True)
    assert (await operator("release", "openhpc", "--role", "login", "--reason", "beacons")).code == 0


EVIDENCE = {
    "kept_at": "2026-11-21T10:00:00Z",
    "left_out": [],
    "ports": [{"id": "p-1", "mac_address": "fa:16:3e:00:00:01", "fixed_ips": [{"ip_address": "10.42.0.7"}],
               "security_groups": ["g-1"], "device_id": "s-1"}],
    "groups": [{"id": "g-1", "name": "login", "security_group_rules": [
        {"id": "r-1", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22,
         "port_range_max": 22, "remote_ip_prefix": "0.0.0.0/0", "remote_group_id": None}]}],
    "floating_ips": [{"floating_ip_address": "203.0.113.9", "fixed_ip_address": "10.42.0.7", "port_id": "p-1"}],
    "trunks": [],
    "changes": [{"happened_at": "2026-11-21 09:59:00", "event_type": "security_group_rule.create.end",
                 "resource_id": "r-1", "actor": "mallory", "request_id": "req-1"}],
}  # fmt: skip


async def test_the_evidence_is_put_together_held_against_its_digest_and_shown(
    served: Service[Memory], operator: Tresor
) -> None:
    memory, text = served.runtime.context, json.dumps(EVIDENCE)
    await operator("quarantine", "openhpc", "--role", "login", "--reason", "beacons")
    early = await operator("quarantine", "show", "openhpc")
    assert (early.code, "kept nothing yet" in early.err) == (1, True)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    memory.quarantines[0] = memory.quarantines[0].model_copy(update={"evidence": digest})
    memory.evidence = [text[:100], text[100:]]
    shown = await operator("quarantine", "show", "openhpc")
    assert shown.code == 0, shown.err
    for words in (digest, "p-1", "10.42.0.7", "login", "tcp", "0.0.0.0/0", "203.0.113.9", "mallory", "beacons"):
        assert words in shown.out
    by_id = await operator("quarantine", "show", memory.quarantines[0].quarantine_id, "-o", "json")
    assert json.loads(by_id.out)["evidence"] == EVIDENCE
    memory.evidence = [text.replace("mallory", "nobody")]
    forged = await operator("quarantine", "show", "openhpc")
    assert (forged.code, forged.out, "is not what was kept" in forged.err) == (1, "", True)
    assert (await operator("quarantine", "show", "elsewhere")).code == 1
    assert (await operator("quarantine", "openhpc", "elsewhere", "--reason", "beacons")).code == 2


async def test_a_spurious_port_is_shown_and_removed(served: Service[Memory], operator: Tresor) -> None:
    shown = await operator("ports", "duplicates")
    assert shown.code == 0, shown.err
    for words in (SPURIOUS, "bound to no host", f"tresor ports remove {SPURIOUS}", "scanned at"):
        assert words in shown.out
    assert (await operator("ports", "duplicates", "--check", "-o", "json")).code == 1
    dry = await operator("ports", "remove", SPURIOUS, "--dry-run")
    assert (dry.code, "nothing is removed" in dry.err) == (0, True)
    assert served.runtime.context.duplicates == [FOUND]
    living = await operator("ports", "remove", LIVE, "--yes")
    assert (living.code, "not plainly spurious" in living.err) == (1, True)
    assert (await operator("ports", "remove", "elsewhere", "--yes")).code == 1
    removed = await operator("ports", "remove", SPURIOUS, "--yes")
    assert removed.code == 0, removed.err
    assert served.runtime.context.duplicates == []
    assert (await operator("ports", "duplicates", "--check")).code == 0
