"""`/twin/…`: faults, the clock, the state and a reset. For tests and demos; it asks for no token."""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from twin.core.caller import Caller
from twin.core.errors import ApiError
from twin.core.http import Reply

if TYPE_CHECKING:
    from twin.cloud import Cloud


class Control:
    """The control API."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud

    async def answer(self, method: str, path: str, content: bytes) -> Reply:
        """The reply to `/twin/<path>`."""
        try:
            document: Any = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError:
            return Reply(400, {"error": "the body is not JSON"})
        name, _, rest = path.strip("/").partition("/")
        try:
            if name == "faults":
                return self._faults(method, rest, document)
            if name == "clock":
                return self._clock(method, document)
            if name == "reset" and method == "POST":
                self._cloud.reset()
                return Reply(204)
            if name == "state" and method == "GET":
                return Reply(200, self.state())
            if name == "notifications" and method == "GET":
                return Reply(200, {"notifications": [one.as_document() for one in self._cloud.publisher.latest]})
            if name == "networking" and method == "GET":
                return Reply(200, self._networking())
            if name == "requests" and method == "GET":
                return self._requests(rest)
            if name == "flushed" and method == "GET":
                return await self._flushed()
        except ApiError as error:
            return Reply(error.status, {"error": error.message})
        return Reply(404, {"error": "faults, clock, reset, state, notifications, networking, requests, flushed"})

    def _networking(self) -> dict[str, Any]:
        """All of Neutron's resources as its administrator lists them, at one instant: no call changes any meanwhile."""
        everything = Caller(roles=("admin",))
        return {
            each.plural: [each.view(row, everything, single=False) for row in each.table]
            for each in self._cloud.neutron.collections
        }

    def _requests(self, rest: str) -> Reply:
        """`/twin/requests[/<after>[/writes]]`: the calls after that number, or those of them that change something."""
        after, _, which = rest.partition("/")
        if (after and not after.isdecimal()) or which not in ("", "writes"):
            return Reply(400, {"error": "requests, requests/<number>, requests/<number>/writes"})
        found = self._cloud.journal.after(int(after or 0), writes_only=which == "writes")
        return Reply(200, {"requests": found})

    def _faults(self, method: str, rule_id: str, document: Any) -> Reply:
        faults = self._cloud.faults
        if method == "GET":
            return Reply(200, {"faults": [rule.as_document() for rule in faults.rules]})
        if method == "POST":
            documents = document if isinstance(document, list) else [document]
            return Reply(201, {"faults": [faults.add(one).as_document() for one in documents]})
        if method == "DELETE" and rule_id:
            return Reply(204) if faults.remove(rule_id) else Reply(404, {"error": f"no fault {rule_id}"})
        if method == "DELETE":
            faults.clear()
            return Reply(204)
        return Reply(405, {"error": "GET, POST, DELETE"})

    def _clock(self, method: str, document: Any) -> Reply:
        clock = self._cloud.clock
        if method == "POST":
            if "paused" in document:
                clock.pause(bool(document["paused"]))
            clock.advance(float(document.get("advance_seconds", 0)))
        return Reply(200, {"now": clock.now().isoformat(), "pending": clock.pending})

    async def _flushed(self) -> Reply:
        """Answers once every notification emitted so far went to the broker, or after 30 s with what is left."""
        for _ in range(3000):
            if self._cloud.publisher.pending == 0:
                break
            await asyncio.sleep(0.01)
        return Reply(200, {"pending": self._cloud.publisher.pending})

    def state(self) -> dict[str, Any]:
        """How much of everything there is, and what the bus did."""
        cloud = self._cloud
        counts: dict[str, int] = {}
        for service in cloud.services:
            for name, value in vars(service).items():
                if hasattr(value, "where"):
                    counts[f"{service.name}.{name}"] = len(value)
        statuses: dict[str, int] = {}
        for server in cloud.nova.servers:
            statuses[server["vm_state"]] = statuses.get(server["vm_state"], 0) + 1
        publisher = cloud.publisher
        return {
            "seed": cloud.settings.seed,
            "requests": cloud.requests,
            "now": cloud.clock.now().isoformat(),
            "timers": cloud.clock.pending,
            "counts": counts,
            "servers": statuses,
            "notifications": {
                "published": publisher.published,
                "pending": publisher.pending,
                "dropped": publisher.dropped,
                "failed": publisher.failed,
            },
            "faults": [rule.as_document() for rule in cloud.faults.rules],
        }
