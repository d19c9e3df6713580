"""Everybody's rights on the broker, where its management API may be asked."""

import asyncio
import base64
import json
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from contracts.envelope import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, QUERIES_EXCHANGE
from contracts.services import SERVICES
from operator_cli.doctor.check import Check
from operator_cli.settings import Settings

AREA = "rights"
SECONDS = 5.0
EXCHANGES = (COMMANDS_EXCHANGE, EVENTS_EXCHANGE, QUERIES_EXCHANGE)
MAX_BYTES = 4 * 1024 * 1024
_REMEDY = "load the definitions made from deploy/rabbitmq/grants.py"


async def checks(settings: Settings) -> AsyncGenerator[Check, None]:
    """Each service's user: there, narrow, and with an entry for each topic exchange (they are open without one)."""
    if not settings.management_url:
        remedy = "set TRESOR_MANAGEMENT_URL=http://ADMINISTRATOR:PASSWORD@HOST:15672 to have them looked at"
        yield Check(AREA, "broker users' rights", "SKIP", "the management API is not named", remedy)
        return
    vhost = unquote(urlsplit(settings.amqp_url).path.removeprefix("/")) or "/"
    try:
        permissions = await asyncio.to_thread(
            _get, settings.management_url, f"vhosts/{quote(vhost, safe='')}/permissions"
        )
        topics = await asyncio.to_thread(
            _get, settings.management_url, f"vhosts/{quote(vhost, safe='')}/topic-permissions"
        )
    except urllib.error.HTTPError as error:
        remedy = "name a user with the tag administrator"
        yield Check(AREA, "broker users' rights", "FAIL", f"the management API answers {error.code}", remedy)
        return
    except (OSError, ValueError) as error:
        remedy = "is the management plugin enabled, and the port open?"
        yield Check(AREA, "broker users' rights", "FAIL", f"the management API can't be asked: {error}", remedy)
        return
    for check in judge(permissions, topics):
        yield check


def judge(permissions: list[dict[str, Any]], topics: list[dict[str, Any]]) -> list[Check]:
    """What is to be said of a vhost's permissions."""
    made = []
    for service in SERVICES:
        mine = [one for one in permissions if one["user"] == service]
        entries = {one["exchange"] for one in topics if one["user"] == service}
        name = f"user {service}"
        if not mine:
            made.append(Check(AREA, name, "FAIL", "it has no rights in this vhost, or there is none", _REMEDY))
        elif any(".*" in (one["configure"], one["write"]) for one in mine):
            made.append(Check(AREA, name, "WARN", "it may configure or write anything", _REMEDY))
        elif missing := [exchange for exchange in EXCHANGES if exchange not in entries]:
            detail = f"without topic rights, which leaves open: {', '.join(missing)}"
            made.append(Check(AREA, name, "WARN", detail, _REMEDY))
        else:
            made.append(Check(AREA, name, "OK", "narrow, with topic rights on every exchange"))
    return made


def _get(base: str, path: str) -> list[dict[str, Any]]:
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"'{parts.scheme}' is no http address")
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    request = urllib.request.Request(  # noqa: S310  its scheme is looked at above
        f"{parts.scheme}://{host}{parts.path.rstrip('/')}/api/{path}",
        headers={"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"},
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        said: list[dict[str, Any]] = json.loads(answer.read(MAX_BYTES))
        return said
