"""Who is believed: one check for each thing that admission must not let pass. See `test_self_test`."""

import asyncio
from datetime import timedelta
from typing import Any

from contracts import provisioner
from contracts.envelope import Role
from shared.signing import write_keyring
from tests.faults.checks_of_messages import worker
from tests.faults.ground import Ground

CHASSIS = provisioner.CHASSIS


async def a_command_is_done_once(ground: Ground) -> None:
    """I2, I11: the same bytes again give the same answer and no second effect."""
    await ground.start(worker(ground))
    body, signature, _ = ground.signed()
    for _ in range(3):
        await ground.give(body, signature)
        await asyncio.sleep(0.3)
    await ground.told(CHASSIS.applied)
    await ground.never(_more_than(ground, 1), "it was done again", 1.0)


def _more_than(ground: Ground, count: int) -> Any:
    async def handled_more() -> bool:
        return len(ground.handled) > count

    return handled_more


async def _is_refused(ground: Ground, reason: str) -> None:

    async def is_judged() -> bool:
        return bool(ground.handled or ground.site.tap.of(CHASSIS.refused))

    await ground.until(is_judged, "it is refused")
    assert [one.reason for one in ground.site.tap.of(CHASSIS.refused)] == [reason]
    assert not ground.handled


async def other_bytes_under_a_known_id_are_refused(ground: Ground) -> None:
    """I11: an id is good for the bytes that it came with."""
    await ground.start(worker(ground))
    body, signature, command_id = ground.signed()
    await ground.give(body, signature)
    await ground.told(CHASSIS.applied)
    ground.handled.clear()
    body, signature, _ = ground.signed("genome-43", id=command_id)
    await ground.give(body, signature)
    await _is_refused(ground, "replayed")


async def changed_bytes_are_refused(ground: Ground) -> None:
    """I11."""
    await ground.start(worker(ground))
    body, signature, _ = ground.signed()
    await ground.give(ground.changed(body), signature)
    await _is_refused(ground, "bad-signature")


async def an_expired_command_is_refused(ground: Ground) -> None:
    """I11."""
    await ground.start(worker(ground))
    then = ground.site.clock.now() - timedelta(minutes=10)
    over = then + timedelta(minutes=4)
    body, signature, _ = ground.signed(time=then, notbefore=then, expiresat=over, executeby=over)
    await ground.give(body, signature)
    await _is_refused(ground, "expired")


async def a_revoked_key_is_refused(ground: Ground) -> None:
    """I11: from the moment the ring says so, without a restart."""
    await ground.start(worker(ground))
    body, signature, _ = ground.signed()
    ground.site.keys.add("ana-later", frozenset({Role.OPERATOR}))
    ring = ground.site.keys
    revoked = ring.keys["ana"].model_copy(update={"revoked_at": ground.site.clock.now() - timedelta(minutes=1)})
    ring.keys["ana"] = revoked
    write_keyring(ring.keyring_path, tuple(ring.keys.values()))
    await ground.give(body, signature)
    await _is_refused(ground, "revoked-key")


async def who_holds_no_such_role_is_refused(ground: Ground) -> None:
    """I11."""
    await ground.start(worker(ground))
    body, signature, _ = ground.signed(holder="ada")
    await ground.give(body, signature)
    await _is_refused(ground, "wrong-role")


async def another_workspaces_key_is_refused(ground: Ground) -> None:
    """I11."""
    ground.site.keys.add("ben", frozenset({Role.OPERATOR}), workspaces=("physics-*",))
    await ground.start(worker(ground))
    body, signature, _ = ground.signed(holder="ben")
    await ground.give(body, signature)
    await _is_refused(ground, "wrong-workspace")


async def anothers_command_is_refused(ground: Ground) -> None:
    """I11: what was signed for one service does not move another."""
    await ground.start(worker(ground))
    body, signature, _ = ground.signed(audience="storage")
    await ground.give(body, signature)
    await _is_refused(ground, "wrong-audience")


async def a_claimed_name_is_refused(ground: Ground) -> None:
    """I11: signer, claimed source and broker user are one."""
    await ground.start(worker(ground))
    body, signature, _ = ground.signed(source="tresor/operator/sam")
    await ground.give(body, signature)
    await _is_refused(ground, "wrong-user")
