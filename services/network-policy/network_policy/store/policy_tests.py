"""The policy tests kept with a workspace, and how each stood when it was last run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from contracts.network_policy import Counterexample
from contracts.policy_tests import PolicyTest
from shared.db import Connection

_LOAD = """
SELECT generation, policy_tests, policy_test_results, policy_tests_observed_at FROM workspace
WHERE workspace = $1 AND state <> 'withdrawn'
"""
_TESTS = TypeAdapter(tuple[PolicyTest, ...])


class Standing(BaseModel):
    """How one test stood."""

    model_config = ConfigDict(frozen=True)

    result: Literal["passed", "failed", "skipped"]
    reason: str = ""
    packet: Counterexample | None = None
    told: bool = False
    """Whether others were told that it fails."""


_STANDINGS = TypeAdapter(dict[str, Standing])


@dataclass(frozen=True)
class KeptTests:
    """What is kept of one workspace."""

    generation: int
    tests: tuple[PolicyTest, ...]
    standings: Mapping[str, Standing]
    """By the test's name."""
    observed_at: datetime | None


def tests_from_json(text: str) -> tuple[PolicyTest, ...]:
    """Tests from the database."""
    return _TESTS.validate_json(text) if text != "[]" else ()


async def load_tests(connection: Connection, workspace: str, *, locked: bool = False) -> KeptTests | None:
    """What is kept; None for a workspace that is not known. `locked`: nobody else writes it until the commit."""
    row = await connection.fetchrow(f"{_LOAD} FOR UPDATE" if locked else _LOAD, workspace)
    if row is None:
        return None
    return KeptTests(
        row["generation"],
        tests_from_json(row["policy_tests"]),
        _STANDINGS.validate_json(row["policy_test_results"]),
        row["policy_tests_observed_at"],
    )


async def save_tests(
    connection: Connection, workspace: str, tests: Sequence[PolicyTest], standings: Mapping[str, Standing]
) -> None:
    """Keep these, with what is known of how they stand."""
    body = json.dumps([test.model_dump(mode="json", by_alias=True, exclude_unset=True) for test in tests])
    await connection.execute(
        "UPDATE workspace SET policy_tests = $2, policy_test_results = $3 WHERE workspace = $1",
        workspace,
        body,
        _STANDINGS.dump_json(dict(standings)).decode(),
    )


async def save_standings(
    connection: Connection, workspace: str, standings: Mapping[str, Standing], observed_at: datetime
) -> None:
    """Remember how the tests stand, as observed then."""
    await connection.execute(
        "UPDATE workspace SET policy_test_results = $2, policy_tests_observed_at = $3 WHERE workspace = $1",
        workspace,
        _STANDINGS.dump_json(dict(standings)).decode(),
        observed_at,
    )
