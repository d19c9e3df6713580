"""OpenStack's notifications, from the firehose's batches to a service's handlers, one transaction a batch."""

import hashlib
from collections.abc import Sequence
from typing import Any, Generic

from shared import metrics
from shared.db import INTERRUPTED, LOST, RACED
from shared.handlers import BatchHandler, Heard
from shared.notifications.decode import decode
from shared.notifications.raw import BrokenNotification, Raw
from shared.notifications.scan import scan
from shared.quarantine import quarantine
from shared.runtime import Runtime
from shared.telemetry import cleaned, logger, span, traceparent
from shared.work import C, Work

GATHER_SECONDS = 0.02
"""So long after a transaction began the next one begins at the earliest: in a storm it has more of the batch to share."""


class Hearing(Generic[C]):
    """The firehose's sink: returns once the batch is committed, so that it may be acknowledged."""

    def __init__(self, runtime: Runtime[C]) -> None:
        self._runtime = runtime

    async def take(self, batch: Sequence[Raw]) -> None:
        """Hand the batch to the handlers; waits for the database as long as it takes."""
        batch = [raw for raw in batch if self._is_of_use(raw)]
        if not batch:
            return
        began = self._runtime.clock.monotonic_seconds()
        await self._store(batch)
        if self._runtime.handlers.batches:
            taken = self._runtime.clock.monotonic_seconds() - began
            await self._runtime.clock.sleep(max(0.0, GATHER_SECONDS - taken))

    async def _store(self, batch: Sequence[Raw]) -> None:
        while True:
            try:
                async with self._runtime.work(hint=True) as work:
                    await self._handle(batch, work)
                return
            except RACED:
                continue
            except LOST as error:
                logger().warning("hearing.database-lost", error=str(error) or type(error).__name__)
                await self._runtime.clock.sleep(0.5)
            except Exception as error:
                if len(batch) == 1:
                    await self._set_aside(batch[0], error)
                    return
                for raw in batch:  # one of them is at fault: the others must not suffer for it
                    await self._store([raw])
                return

    def _is_of_use(self, raw: Raw) -> bool:
        handlers = self._runtime.handlers
        if handlers.notification_sink is not None or (handlers.hears_begun and handlers.tells_of is None):
            return True
        try:
            heading = scan(raw)
        except BrokenNotification:
            return True  # it is told of
        if not handlers.hears_begun and heading.event_type.endswith(".start"):
            return False
        call = self._runtime.urgent.made(heading.global_request_id)
        if call is None or handlers.tells_of is None:
            return True
        try:
            return not handlers.tells_of(decode(raw), call)
        except BrokenNotification:
            return True

    async def _handle(self, batch: Sequence[Raw], work: Work[C]) -> None:
        handlers = self._runtime.handlers
        if handlers.notification_sink is not None:
            await handlers.notification_sink(batch, work)
            return
        together: dict[BatchHandler[Any], list[Heard]] = {}
        for raw in batch:
            heading = scan(raw)
            wanted = [handler for prefixes, handler in handlers.notifications if heading.is_about(*prefixes)]
            shared = [handler for prefixes, handler in handlers.batches if heading.is_about(*prefixes)]
            if wanted or shared:
                with span(f"notification {heading.event_type}", request_id=heading.request_id or ""):
                    notification = decode(raw)
                    for handler in wanted:
                        await handler(notification, work)
                    for each in shared:
                        together.setdefault(each, []).append(Heard(notification, traceparent()))
        for each, heard in together.items():
            await each(heard, work)

    async def _set_aside(self, raw: Raw, error: Exception) -> None:
        metrics.NOTIFICATIONS_BROKEN.inc()
        if not isinstance(error, BrokenNotification):
            logger().exception("hearing.failed")
        detail = cleaned(f"{type(error).__name__}: {error}")[:1000]
        while True:
            try:
                async with self._runtime.work() as work:
                    await quarantine(work, raw.body, f"openstack:{raw.exchange}", "bad-notification", detail)
                    work.emit(
                        self._runtime.handlers.chassis.refused(
                            reason="bad-notification",
                            detail=detail,
                            digest=f"sha256:{hashlib.sha256(raw.body).hexdigest()}",
                        )
                    )
                return
            except INTERRUPTED:
                await self._runtime.clock.sleep(0.5)
