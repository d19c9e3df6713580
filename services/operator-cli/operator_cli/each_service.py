"""Asking every service the same question, where each has its own part of the answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from contracts.catalog import OWNERS
from contracts.envelope import Answer, Query
from operator_cli.exits import Exit, Stop
from operator_cli.session import Session, opened, run
from shared.client import NobodyThere, Unanswered


@dataclass(frozen=True)
class Asked:
    """What the services said, by their names."""

    answers: dict[str, Any]
    silent: tuple[str, ...]
    """Services that are known to the broker and did not answer."""

    def complain(self) -> None:
        """Raises Stop where a service's part of the answer is missing."""
        if self.silent:
            raise Stop(
                Exit.UNREACHABLE,
                f"no answer from {', '.join(self.silent)}: what lies there is not shown",
                "run `tresor doctor`; or give it more --timeout",
            )


def ask_each(
    query_of: Callable[[ModuleType], Query], timeout: float | None, owners: Sequence[ModuleType] = OWNERS
) -> Asked:
    """Every service's answer. One that never ran at this broker is passed over; raises Stop when none ever did."""

    async def asking() -> Asked:
        async with opened() as session:
            first = await _ask(session, query_of(owners[0]), timeout)  # makes the connections that the others share
            rest = await asyncio.gather(*(_ask(session, query_of(owner), timeout) for owner in owners[1:]))
            said = dict(zip((owner.OWNER for owner in owners), (first, *rest), strict=True))
            if all(isinstance(one, NobodyThere) for one in said.values()):
                raise next(one for one in said.values() if isinstance(one, NobodyThere))
            return Asked(
                {name: one for name, one in said.items() if isinstance(one, Answer)},
                tuple(name for name, one in said.items() if isinstance(one, Unanswered)),
            )

    return run(asking())


async def _ask(session: Session, query: Query, timeout: float | None) -> Answer | NobodyThere | Unanswered:
    try:
        return await session.ask(query, query.answer, timeout)
    except (NobodyThere, Unanswered) as error:
        return error
