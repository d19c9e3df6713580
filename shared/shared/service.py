"""A service, from its settings to its end: every part of the chassis put together around its handlers."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared import interpreter, metrics
from shared.bus import Bus
from shared.clock import Clock, Ids, SystemClock
from shared.cloud import Cloud
from shared.db import Pool, close, open_pool
from shared.errors import Configuration
from shared.handlers import Handlers
from shared.health import HealthServer
from shared.hearing import Hearing
from shared.lanes import DecideLane
from shared.lease import Leases
from shared.losses import Losses
from shared.migrate import migrate
from shared.notifications.firehose import Firehose
from shared.notifications.scan import sealed_ahead
from shared.outbox import Identity
from shared.reconcile import ReconcileLane
from shared.relay import Relay
from shared.retention import Retention
from shared.runtime import Runtime
from shared.set_right import ClockWatch, bring_forward
from shared.settings import ServiceSettings
from shared.signing import Keyring, Signer
from shared.telemetry import configure_logging, configure_tracing, logger
from shared.topology import service_queues
from shared.work import C

S = TypeVar("S", bound=ServiceSettings)

STOP_SECONDS = 10.0
LONGEST_PERIOD = 1.2
"""Timers come round within a fifth of their period."""
ContextMaker = Callable[[Any, Cloud | None], Awaitable[C]]


@dataclass
class Service(Generic[C]):
    """A service in this process. `start` returns when it is begun, `wait` when a part of it has failed."""

    settings: ServiceSettings
    handlers: Handlers[C]
    make_context: ContextMaker[C]
    clock: Clock
    ids: Ids

    async def start(self) -> None:
        """Open what is needed and begin to work. Raises Configuration when something is missing or wrong."""
        settings, service = self.settings, self.handlers.service
        self.replica = f"{service}-{socket.gethostname()}-{os.getpid()}-{self.ids.uuid()[:8]}"
        signer = Signer.load(settings.signing_key_path)
        keyring = Keyring.load(settings.keyring_path)
        url = settings.amqp_url.get_secret_value()
        self.cloud = self._open_cloud()
        self.pool: Pool = await open_pool(settings.database_dsn.get_secret_value(), service, self.clock)
        applied = await migrate(self.pool, service)
        logger().info("service.migrated", applied=applied)
        identity = Identity(service, self.handlers.chassis, signer, self.clock, self.ids, keyring)
        leases = Leases(self.pool, self.replica, self.clock, settings.lane_lease_seconds)
        context = await self.make_context(settings, self.cloud)
        runtime = self.runtime = Runtime(identity, self.pool, self.handlers, context, leases, settings.work_concurrency)
        queues = service_queues(
            service, self.handlers.producers(), self.handlers.every_event is not None, bool(self.handlers.queries)
        )
        self.bus = Bus(runtime, url, queues, settings.prefetch)
        self.relay = Relay(runtime, url)
        self.firehose = self._open_firehose(runtime)
        self.retention = Retention(runtime, settings)
        self.health = HealthServer(settings.http_host, settings.http_port, self.readiness)
        await leases.renew()
        self._watch = ClockWatch(self.clock)
        await bring_forward(runtime, self._watch)
        metrics.SCAN_SECONDS.set(settings.scan_seconds * LONGEST_PERIOD)
        parts: list[tuple[str, Coroutine[Any, Any, None]]] = [
            ("leases", self._renew(leases)),
            ("relay", self.relay.run()),
            ("decide", DecideLane(runtime).run()),
            ("reconcile", ReconcileLane(runtime).run()),
            ("bus", self.bus.run()),
            ("health", self.health.run()),
            ("retention", self.retention.run()),
        ]
        if self.firehose is not None:
            parts.append(("firehose", self.firehose.run()))
        self.tasks = {name: asyncio.create_task(part, name=name) for name, part in parts}
        interpreter.settle()
        logger().info("service.started", http_port=await self.health.port(), mode=settings.mode)

    def _open_cloud(self) -> Cloud | None:
        settings = self.settings
        if not settings.cloud_name:
            return None
        return Cloud(
            settings.cloud_name,
            settings.clouds_path,
            self.clock,
            threads=settings.cloud_threads,
            timeout_seconds=settings.cloud_timeout_seconds,
            on_refused=lambda said: logger().error("cloud.credentials-refused", error=said),
        )

    def _open_firehose(self, runtime: Runtime[C]) -> Firehose | None:
        url = self.settings.openstack_amqp_url
        if url is None or not (self.handlers.notifications or self.handlers.notification_sink):
            return None
        return Firehose(
            url.get_secret_value(),
            service=self.handlers.service,
            sink=Hearing(runtime).take,
            keep_count=Losses(runtime).count,
            prepare=sealed_ahead if self.handlers.notification_sink else None,
        )

    async def _renew(self, leases: Leases) -> None:
        while True:
            await self.clock.sleep(self.settings.lane_lease_seconds / 3)
            before = set(leases.held)
            await leases.renew()
            await bring_forward(self.runtime, self._watch)
            if set(leases.held) - before:
                self.runtime.wakes.all()

    def readiness(self) -> dict[str, bool]:
        """Which parts work now."""
        parts = {
            "bus": self.bus.connected.is_set(),
            "relay": self.relay.connected.is_set(),
            "database": bool(self.runtime.leases.held)
            and self.runtime.leases.holds(next(iter(self.runtime.leases.held))) is not None,
        }
        if self.cloud is not None:
            parts["cloud-credentials"] = not self.cloud.is_refused
        if self.firehose is not None:
            parts["notifications"] = self.firehose.connected
        return parts

    async def wait(self) -> None:
        """Until a part ends, which none does by itself; raises what ended it."""
        done, _ = await asyncio.wait(self.tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
            raise RuntimeError(f"{task.get_name()} ended")

    async def stop(self) -> None:
        """Take nothing new, end what has begun, give the lanes back."""
        order = ("retention", "bus", "firehose", "reconcile", "decide", "relay", "leases")
        for name in order:
            task = self.tasks.get(name)
            if task is not None:
                task.cancel()
                await asyncio.wait([task], timeout=STOP_SECONDS)
            if name == "firehose":
                await self.runtime.urgent.stop()
        self.health.stop()
        await asyncio.wait([self.tasks["health"]], timeout=3)
        await self.runtime.leases.release()
        await close(self.pool)
        if self.cloud is not None:
            self.cloud.close()
        logger().info("service.stopped")


async def serve(service: Service[C]) -> None:
    """Run until SIGTERM or SIGINT, then stop in good order."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, ended.set)
    await service.start()
    broken = asyncio.create_task(service.wait())
    asked = asyncio.create_task(ended.wait())
    try:
        await asyncio.wait([broken, asked], return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            await broken
    finally:
        broken.cancel()
        await service.stop()


def run(
    settings_class: type[S], handlers: Handlers[C], make_context: Callable[[S, Cloud | None], Awaitable[C]]
) -> None:
    """A service's `main`: settings from the environment, then serve. A wrong setting ends it with one sentence."""
    import uvloop
    from pydantic import ValidationError

    try:
        settings = settings_class()
        configure_logging(handlers.service, f"{socket.gethostname()}-{os.getpid()}", settings.log_level)
        provider = configure_tracing(handlers.service, f"{socket.gethostname()}-{os.getpid()}", settings.traces_path)
        service = Service(settings, handlers, make_context, SystemClock(), Ids())
        try:
            uvloop.run(serve(service))
        finally:
            provider.shutdown()
    except ValidationError as error:
        wrong = "; ".join(f"TRESOR_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
        sys.exit(f"{handlers.service}: {wrong}")
    except Configuration as error:
        sys.exit(f"{handlers.service}: {error}")
