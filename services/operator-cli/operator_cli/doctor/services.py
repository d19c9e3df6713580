"""The five services: does each answer, is its database there, does this operator's key pass."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

from contracts.burst_scheduler import ListPools
from contracts.catalog import OWNERS
from contracts.envelope import Query
from contracts.network_policy import ShowIsolation
from contracts.provisioner import ListWorkspaces
from contracts.security_monitor import ListFindings
from contracts.storage import ShowStorage
from operator_cli.doctor.check import Check
from operator_cli.exits import Stop
from operator_cli.session import Session, opened
from operator_cli.settings import Settings
from shared.client import Declined, NobodyThere, NotPermitted, Unanswered, Unreachable
from shared.errors import Configuration

AREA = "services"
ANSWER_SECONDS = 5.0
HTTP_SECONDS = 5.0
SLOW_SECONDS = 1.0

QUERIES: tuple[Query, ...] = (
    ListWorkspaces(),
    ShowIsolation(),
    ShowStorage(workspace="doctor"),
    ListPools(),
    ListFindings(),
)


async def checks(settings: Settings) -> AsyncGenerator[Check, None]:
    """Each service asked one question over the bus, and its /readyz where that is known."""
    try:
        async with opened(settings) as session:
            yield Check(AREA, "your key", "OK", f"{session.signer.kid} of {session.holder}")
            silent: set[str] = set()
            for query in QUERIES:
                began = session.clock.monotonic_seconds()
                try:
                    await session.ask(query, query.answer, ANSWER_SECONDS)
                except Declined as error:
                    yield Check(AREA, f"{query.owner()} answers", "FAIL", str(error), error.problems[0].remedy)
                except (Unanswered, NobodyThere) as error:
                    silent.add(query.owner())
                    remedy = "is it running? its queue is looked at above; its log says what it lacks"
                    yield Check(AREA, f"{query.owner()} answers", "FAIL", str(error), remedy)
                else:
                    took = session.clock.monotonic_seconds() - began
                    state, remedy = ("OK", "") if took < SLOW_SECONDS else ("WARN", "is the machine or database busy?")
                    detail = f"over the bus, out of its database, in {took * 1000:.0f} ms"
                    yield Check(AREA, f"{query.owner()} answers", state, detail, remedy)  # type: ignore[arg-type]
            yield await _parked(session, silent)
    except Stop as stop:
        yield Check(AREA, "your key", "FAIL", str(stop), stop.remedy)
    except (Configuration, NotPermitted, Unreachable) as error:
        yield Check(AREA, "your key", "FAIL", str(error))
    for url in settings.ready_urls:
        yield await asyncio.to_thread(_ready, url)
    if not settings.ready_urls:
        yield Check(
            AREA, "readiness", "SKIP", "no /readyz is named", "set TRESOR_READY_URLS to look inside each service"
        )


async def _parked(session: Session, silent: set[str]) -> Check:
    """Whether a service that answers at all has set a message aside."""
    found: dict[str, int] = {}
    for owner in OWNERS:
        if owner.OWNER not in silent:
            with suppress(Declined, Unanswered, NobodyThere):  # an older version does not know the question
                answer = await session.ask(owner.CHASSIS.list_parked(), owner.CHASSIS.parked_listed, ANSWER_SECONDS)
                found[owner.OWNER] = len(answer.messages)
    if any(found.values()):
        words = ", ".join(f"{count} at {name}" for name, count in found.items() if count)
        return Check(
            AREA, "parked messages", "WARN", words, "`tresor parked` shows them; docs/runbooks/message-parked.md"
        )
    if not found:
        return Check(AREA, "parked messages", "SKIP", "no service answers", "see above")
    return Check(AREA, "parked messages", "OK", f"none at {', '.join(found)}")


def _ready(url: str) -> Check:
    if not url.startswith(("http://", "https://")):
        return Check(AREA, f"ready {url[:60]}", "FAIL", "this is no http address", "correct TRESOR_READY_URLS")
    try:
        with urllib.request.urlopen(url, timeout=HTTP_SECONDS) as answer:  # noqa: S310  its scheme is looked at above
            parts = _parts(answer.read(65_536))
    except urllib.error.HTTPError as error:
        parts = _parts(error.read(65_536))
        lacking = ", ".join(name for name, good in parts.items() if not good) or f"it answers {error.code}"
        return Check(AREA, f"ready {url}", "FAIL", f"lacking: {lacking}", "its log says why")
    except (OSError, ValueError) as error:
        return Check(AREA, f"ready {url}", "FAIL", f"no answer: {error}", "is it running, and the port open to you?")
    return Check(AREA, f"ready {url}", "OK", ", ".join(parts))


def _parts(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
