"""OpenStack's bus: are notifications on, does anybody publish, do our queues hear it, does something grow unread."""

from collections.abc import AsyncGenerator, AsyncIterator

from contracts.services import SERVICES
from operator_cli.doctor.check import Check
from operator_cli.settings import Settings
from shared.client.errors import NotPermitted, Unreachable
from shared.client.probes import Probe
from shared.clock import Ids, SystemClock

AREA = "OpenStack's bus"
EXCHANGES = ("nova", "neutron", "keystone", "openstack", "glance", "ironic")
"""Cinder and Manila publish on `openstack` by default."""
NEEDED = ("nova", "neutron", "openstack")
KEYS = ("notifications.*", "versioned_notifications.*", "ironic_versioned_notifications.*")
STANDARD_QUEUES = ("notifications.info", "notifications.error", "versioned_notifications.info")
UNREAD_MESSAGES = 10_000
TURN_ON = (
    "in each service's configuration: [oslo_messaging_notifications] driver = messagingv2 (Kolla leaves it off unless "
    "Ceilometer or Designate is enabled); an exchange appears at a service's first notification"
)
UNCOUNTED_REMEDY = (
    "the queue was made with other arguments, by an earlier version perhaps: stop the service, delete "
    "`tresor.<service>.notifications` on OpenStack's broker, start the service, which makes it anew and scans"
)
TRANSIENT_REMEDY = (
    "set amqp_durable_queues and rabbit_quorum_queue in OpenStack, or permit transient_nonexcl_queues on this broker"
)


async def checks(settings: Settings, listen_seconds: float) -> AsyncGenerator[Check, None]:
    """Everything about OpenStack's bus, without taking a message away from anybody."""
    if not settings.openstack_amqp_url:
        remedy = "set TRESOR_OPENSTACK_AMQP_URL; without notifications only the scan finds changes"
        yield Check(AREA, "reachable", "SKIP", "OpenStack's bus is not named", remedy)
        return
    try:
        async with Probe(settings.openstack_amqp_url, SystemClock(), Ids()) as probe:
            yield Check(AREA, "reachable", "OK", f"RabbitMQ {probe.version} at {probe.where} as {probe.user}")
            if (version := transient_queues_denied(probe.version)) is not None:
                yield version
            there = [name for name in EXCHANGES if await probe.has_exchange(name)]
            yield _exchanges(there)
            async for check in _queues(probe):
                yield check
            yield await _publishers(probe, there, listen_seconds)
    except (NotPermitted, Unreachable) as error:
        remedy = "check TRESOR_OPENSTACK_AMQP_URL; the user needs read rights on the services' exchanges only"
        yield Check(AREA, "reachable", "FAIL", str(error), remedy)


def transient_queues_denied(version: str) -> Check | None:
    """RabbitMQ 4.3 denies what oslo.messaging declares by default."""
    parts = version.split(".")
    if len(parts) < 2 or not all(part.isdecimal() for part in parts[:2]) or (int(parts[0]), int(parts[1])) < (4, 3):
        return None
    detail = f"RabbitMQ {version} denies transient non-exclusive queues by default, which are oslo.messaging's default"
    return Check(AREA, "transient queues", "WARN", detail, TRANSIENT_REMEDY)


def _exchanges(there: list[str]) -> Check:
    if missing := [name for name in NEEDED if name not in there]:
        return Check(
            AREA, "exchanges", "WARN", f"there: {', '.join(there) or 'none'}; not: {', '.join(missing)}", TURN_ON
        )
    return Check(AREA, "exchanges", "OK", ", ".join(there))


async def _queues(probe: Probe) -> AsyncIterator[Check]:
    ours = {service: await probe.queue(f"tresor.{service}.notifications") for service in SERVICES}
    there = {service: state for service, state in ours.items() if state is not None}
    unread = [service for service, state in there.items() if not state.consumers]
    if not there:
        remedy = "give the services TRESOR_OPENSTACK_AMQP_URL with this vhost"
        yield Check(AREA, "our queues", "FAIL", "no service listens here", remedy)
    elif unread:
        yield Check(AREA, "our queues", "FAIL", f"not read: {', '.join(unread)}", "are these services running?")
    else:
        yield Check(AREA, "our queues", "OK", f"read by {', '.join(there)}")
    # The reader takes the queue of the dropped away where its own was made without it.
    counted = [service for service in there if await probe.queue(f"tresor.{service}.notifications.dropped") is not None]
    if uncounted := [service for service in there if service not in counted]:
        detail = f"what it drops when it is full is counted nowhere: {', '.join(uncounted)}"
        yield Check(AREA, "drops are counted", "WARN", detail, UNCOUNTED_REMEDY)
    elif there:
        yield Check(AREA, "drops are counted", "OK", f"by {', '.join(counted)}")
    for name in STANDARD_QUEUES:
        state = await probe.queue(name)
        if state is not None and not state.consumers and state.messages > UNREAD_MESSAGES:
            remedy = f"nobody reads it and it grows for ever: give it a reader, or a policy with max-length on `{name}`"
            yield Check(AREA, f"queue {name}", "WARN", f"{state.messages} messages, no reader", remedy)


async def _publishers(probe: Probe, there: list[str], seconds: float) -> Check:
    if not there or not seconds:
        return Check(AREA, "publishers heard", "SKIP", "not listened", "" if there else TURN_ON)
    prefix = f"tresor.{probe.user}.doctor"
    if not await probe.may_make_queue(f"{prefix}.probe"):
        remedy = f"let the user configure, write and read ^tresor\\.{probe.user}\\..+"
        return Check(AREA, "publishers heard", "FAIL", f"'{probe.user}' may not make a queue to listen with", remedy)
    counted = await probe.publishers(prefix, there, KEYS, seconds)
    if not counted:
        remedy = "normal on a quiet cloud; to be sure: `tresor doctor --listen 60` while somebody makes a network"
        return Check(AREA, "publishers heard", "WARN", f"nobody published in {seconds:.0f} s", remedy)
    names = sorted({f"{exchange}: {publisher}" for exchange, publisher in counted})
    return Check(AREA, "publishers heard", "OK", f"{sum(counted.values())} notifications, {'; '.join(names[:12])}")
