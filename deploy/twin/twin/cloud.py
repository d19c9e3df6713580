"""The whole cloud: clock, chance, bus and the services, which find each other here."""

from dataclasses import replace
from typing import Any

import orjson

from twin.cinder.service import Cinder
from twin.core.bus import Notification, Publisher
from twin.core.caller import Caller, context_values
from twin.core.chance import Chance
from twin.core.clock import Clock
from twin.core.faults import Faults
from twin.core.journal import Journal
from twin.core.service import Service
from twin.glance.service import Glance
from twin.ironic.service import Ironic
from twin.keystone.service import Keystone
from twin.manila.service import Manila
from twin.neutron.service import Neutron
from twin.nova.service import Nova
from twin.placement import Placement
from twin.seed import plant
from twin.settings import TwinSettings

MAX_BACKLOG = 8_000
BACKLOG_PAUSE_SECONDS = 0.25
"""Asynchronous work pauses while so many notifications wait: OpenStack's services publish before they go on."""
REORDER_HOLD_SECONDS = 0.5
"""A notification held back to be overtaken goes out after this time when no other comes."""


class Cloud:
    """State that all services share; `reset` makes it as new."""

    def __init__(self, settings: TwinSettings, base_url: str, publisher: Publisher) -> None:
        self.settings = settings
        self.base_url = base_url
        """Scheme, host and port, as the call at hand names them."""
        self.publisher = publisher
        self.clock = Clock()
        self.requests = 0
        self.reset()

    def reset(self) -> None:
        """Back to the seeded state: same seed, same ids again."""
        self.clock.clear()
        self.chance = Chance(self.settings.seed)
        self.faults = Faults(self.settings.seed)
        self._held: dict[str, Notification] = {}
        self.requests = 0
        self.journal = Journal()
        self.muted = True
        self.keystone = Keystone(self)
        self.glance = Glance(self)
        self.neutron = Neutron(self)
        self.placement = Placement(self)
        self.ironic = Ironic(self)
        self.nova = Nova(self)
        self.cinder = Cinder(self)
        self.manila = Manila(self)
        plant(self)
        self.muted = False
        self.publisher.latest.clear()

    @property
    def services(self) -> tuple[Service, ...]:
        """All of them."""
        return (
            self.keystone,
            self.nova,
            self.neutron,
            self.cinder,
            self.manila,
            self.glance,
            self.placement,
            self.ironic,
        )

    def later(self, resource_id: str, step: str, low: float, high: float, action: Any) -> None:
        """Runs an action of an asynchronous operation after its seeded delay, between low and high seconds."""
        seconds = self.chance.delay_seconds(resource_id, step, low, high) * self.settings.delay_scale

        def act() -> None:
            if self.publisher.pending > MAX_BACKLOG:
                self.clock.later(BACKLOG_PAUSE_SECONDS, act)
            else:
                action()

        self.clock.later(seconds, act)

    def notify(
        self,
        service: str,
        exchange: str,
        publisher_id: str,
        event_type: str,
        payload: Any,
        caller: Caller | None,
        *,
        topic: str = "notifications",
        priority: str = "info",
        extra: dict[str, object] | None = None,
    ) -> None:
        """Publishes what the service would; without a caller the message carries no context, as Keystone's and Glance's."""
        if self.muted:
            return
        context = orjson.dumps(context_values(caller, extra or {})) if caller is not None else None
        notification = Notification(
            exchange,
            topic,
            publisher_id,
            event_type,
            orjson.dumps(payload, option=orjson.OPT_NON_STR_KEYS),
            context,
            priority,
            request_id=caller.request_id if caller is not None else "",
            emitted_at=self.clock.seconds(),
        )
        rule = self.faults.of_notification(service, event_type) if self.faults.rules else None
        if rule is None:
            self._send(notification)
        elif rule.kind == "doubled":
            self._send(replace(notification, copies=2))
        elif rule.kind == "delayed":
            self.clock.later(rule.seconds, lambda: self._send(notification))
        elif rule.kind == "reordered":
            self._hold(notification)

    def _hold(self, notification: Notification) -> None:
        overtaken = self._held.pop(notification.exchange, None)
        self._held[notification.exchange] = notification
        if overtaken is not None:
            self.publisher.put(overtaken)

        def release() -> None:
            if self._held.get(notification.exchange) is notification:
                self.publisher.put(self._held.pop(notification.exchange))

        self.clock.later(REORDER_HOLD_SECONDS, release)

    def _send(self, notification: Notification) -> None:
        self.publisher.put(notification)
        held = self._held.pop(notification.exchange, None)
        if held is not None:
            self.publisher.put(held)
