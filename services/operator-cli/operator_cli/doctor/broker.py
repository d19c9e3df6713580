"""Tresor's own broker: reachable, exchanges and queues there and read, the operator's rights as they should be."""

from collections.abc import AsyncGenerator, AsyncIterator
from urllib.parse import urlsplit, urlunsplit

from contracts.envelope import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, QUERIES_EXCHANGE
from contracts.services import SERVICES
from operator_cli.doctor.check import Check
from operator_cli.settings import Settings
from shared.client.errors import NotPermitted, Unreachable
from shared.client.probes import Probe
from shared.clock import Ids, SystemClock

AREA = "broker"
BACKLOG_MESSAGES = 1_000
_KINDS = ("commands", "events", "queries")


async def checks(settings: Settings) -> AsyncGenerator[Check, None]:
    """Everything about Tresor's broker."""
    if not settings.amqp_url:
        yield Check(AREA, "reachable", "FAIL", "no broker is named", "set TRESOR_AMQP_URL")
        return
    try:
        async with Probe(settings.amqp_url, SystemClock(), Ids()) as probe:
            yield Check(AREA, "reachable", "OK", f"RabbitMQ {probe.version} at {probe.where} as {probe.user}")
            async for check in _exchanges(probe):
                yield check
            async for check in _queues(probe):
                yield check
            if await probe.has_exchange(EVENTS_EXCHANGE) and await probe.has_exchange(COMMANDS_EXCHANGE):
                async for check in _rights(probe):
                    yield check
    except NotPermitted as error:
        yield Check(AREA, "reachable", "FAIL", str(error), "check user, password and vhost in TRESOR_AMQP_URL")
        return
    except Unreachable as error:
        yield Check(AREA, "reachable", "FAIL", str(error), "is RabbitMQ running there, and the port open?")
        return
    yield await _guest(settings.amqp_url)


async def _exchanges(probe: Probe) -> AsyncIterator[Check]:
    missing = [
        name for name in (EVENTS_EXCHANGE, COMMANDS_EXCHANGE, QUERIES_EXCHANGE) if not await probe.has_exchange(name)
    ]
    if missing:
        remedy = "start a service: each declares them when it connects; or the vhost in TRESOR_AMQP_URL is another one"
        yield Check(AREA, "exchanges", "FAIL", f"missing: {', '.join(missing)}", remedy)
    else:
        yield Check(AREA, "exchanges", "OK", "commands, events and queries are there")


async def _queues(probe: Probe) -> AsyncIterator[Check]:
    for service in SERVICES:
        states = {kind: await probe.queue(f"tresor.{service}.{kind}") for kind in _KINDS}
        there = {kind: state for kind, state in states.items() if state is not None}
        name = f"queues of {service}"
        if "commands" not in there:
            remedy = f"start {service}; it makes its queues when it connects"
            yield Check(AREA, name, "FAIL", "it has no queue: it never started at this broker", remedy)
            continue
        unread = [kind for kind, state in there.items() if not state.consumers]
        waiting = sum(state.messages for state in there.values())
        if unread:
            remedy = f"is {service} running? its /readyz and its log say what it lacks"
            yield Check(AREA, name, "FAIL", f"nobody reads {', '.join(unread)}; {waiting} messages wait", remedy)
        elif waiting > BACKLOG_MESSAGES:
            remedy = "it is behind: see its log and metrics; more replicas help when the database keeps up"
            yield Check(AREA, name, "WARN", f"{waiting} messages wait", remedy)
        else:
            yield Check(AREA, name, "OK", f"{', '.join(there)} are read; {waiting} messages wait")


async def _rights(probe: Probe) -> AsyncIterator[Check]:
    prefix = "tresor.operator"
    if not await probe.may_bind(prefix, EVENTS_EXCHANGE, "#"):
        remedy = "give the operator's user the grants in deploy/rabbitmq/grants.py"
        yield Check(AREA, "may hear events", "FAIL", f"user '{probe.user}' may not", remedy)
    else:
        yield Check(AREA, "may hear events", "OK", f"user '{probe.user}' hears {EVENTS_EXCHANGE}")
    too_much = []
    if await probe.may_bind(prefix, COMMANDS_EXCHANGE, "#"):
        too_much.append(f"read {COMMANDS_EXCHANGE}")
    if await probe.may_make_queue("tresor.provisioner.doctor"):
        too_much.append("make queues in a service's name")
    if too_much:
        remedy = "narrow its grants to those in deploy/rabbitmq/grants.py"
        yield Check(AREA, "may no more than needed", "WARN", f"'{probe.user}' may {' and '.join(too_much)}", remedy)
    else:
        yield Check(
            AREA, "may no more than needed", "OK", f"'{probe.user}' reads no commands, makes no service's queue"
        )


async def _guest(url: str) -> Check:
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    guest = urlunsplit((parts.scheme, f"guest:guest@{host}", parts.path, parts.query, ""))
    try:
        async with Probe(guest, SystemClock(), Ids()):
            remedy = "delete the user `guest`: rabbitmqctl delete_user guest"
            return Check(AREA, "guest is gone", "WARN", "user `guest` with its known password may connect", remedy)
    except (NotPermitted, Unreachable):
        return Check(AREA, "guest is gone", "OK", "user `guest` is refused")
