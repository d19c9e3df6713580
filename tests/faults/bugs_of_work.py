"""How leases, looks and calls are made wrong, from outside: the code itself has no switch for it."""

from typing import Any

import pytest

import shared.effects
import shared.lanes
import shared.lease
import shared.reconcile
from tests.faults.ground import Ground

Patch = pytest.MonkeyPatch
NOTHING = "WHERE false AND "


def fence_not_checked(patch: Patch, _: Ground) -> None:
    async def anybody(*_: Any) -> None:
        return None

    patch.setattr(shared.lease.Leases, "guard", anybody)
    patch.setattr(shared.reconcile.LaneTurn, "surely_ours", lambda _: True)


def fence_not_checked_when_deciding(patch: Patch, _: Ground) -> None:
    patch.setattr(
        shared.lanes,
        "_OPEN",
        shared.lanes._OPEN.replace(
            "WHERE owner = $5 AND lease_until > clock_timestamp() FOR SHARE OF lane", "WHERE $5 <> ''"
        ).replace("USING (bucket, fence)", "ON held.bucket = lane.bucket"),
    )


def lease_not_asked_before_the_call(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.reconcile.LaneTurn, "surely_ours", lambda _: True)


def leases_not_renewed(patch: Patch, _: Ground) -> None:
    renew = shared.lease.Leases.renew

    async def once(self: Any) -> None:
        if not self.held:
            await renew(self)

    patch.setattr(shared.lease.Leases, "renew", once)


def intent_after_the_call(patch: Patch, _: Ground) -> None:
    patch.setattr(
        shared.effects,
        "_SEND",
        "SELECT $1::uuid, $2::text, $3::text, $4::text, $5::text, $6::bigint, $7::timestamptz",
    )


def former_call_not_looked_for(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.effects, "_OPEN", shared.effects._OPEN.replace("WHERE ", NOTHING))


def unknown_outcome_retried(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.effects, "UNSETTLED_SECONDS", 0.0)


def found_not_adopted(patch: Patch, _: Ground) -> None:
    settle = shared.effects._settle_former
    patch.setattr(shared.effects, "UNSETTLED_SECONDS", 0.0)

    async def made_again(turn: Any, step: str, marker: str, sent_at: Any, _: Any, repeatable: bool) -> Any:
        return await settle(turn, step, marker, sent_at, None, repeatable)

    patch.setattr(shared.effects, "_settle_former", made_again)


def observed_calls_left_open(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.reconcile, "_OBSERVED", shared.reconcile._OBSERVED.replace("WHERE ", NOTHING))


def marks_lost_while_looking(patch: Patch, _: Ground) -> None:
    patch.setattr(shared.reconcile, "_SETTLED", "DELETE FROM dirty WHERE key = $1 AND $2::bigint IS NOT NULL")
