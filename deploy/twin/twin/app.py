"""The ASGI application: one port, one prefix for each service, faults before and after the effect."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from twin.cloud import Cloud
from twin.control import Control
from twin.core.errors import ApiError
from twin.core.faults import FaultRule
from twin.core.http import Reply, Request
from twin.core.service import Service
from twin.core.unseen import Unseen

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 4_194_304
HOST = re.compile(r"^[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?$")
GLOBAL_ID = re.compile(r"^req-[0-9a-fA-F-]{36}$")
"""oslo.middleware takes over a global request id of this form and drops any other."""


class Application:
    """Serves the cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.control = Control(cloud)
        self.unseen = Unseen()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        clock: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                clock = asyncio.create_task(self.cloud.clock.run())
                await send({"type": "lifespan.startup.complete"})
            else:
                if clock is not None:
                    clock.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await clock
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        content = await _body(receive)
        path: str = scope["path"]
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        first, _, rest = path.lstrip("/").partition("/")
        if first == "twin":
            reply = await self.control.answer(scope["method"], rest, content)
            await _send(send, reply, scope["method"])
            return
        service = next((one for one in self.cloud.services if one.prefix == first), None)
        if service is None:
            await _send(
                send, Reply(404, {"error": {"code": 404, "message": f"no service at /{first}"}}), scope["method"]
            )
            return
        self.cloud.requests += 1
        self._take_host(headers.get("host", ""))
        request = Request(
            method=scope["method"],
            path="/" + rest,
            raw_query=scope["query_string"].decode("latin-1"),
            headers=headers,
            content=content,
            base_url=f"{self.cloud.base_url}/{first}",
            request_id=self.cloud.chance.request_id(),
        )
        call = self.cloud.journal.arrived(
            self.cloud.clock.seconds(), service.name, request.method, request.path, content
        )
        call.global_request_id = headers.get("x-openstack-request-id")
        faults = self.cloud.faults
        rule = faults.of_call(service.name, request.method, request.path) if faults.rules else None
        if rule is not None and rule.kind == "slow":
            await asyncio.sleep(rule.seconds)
            rule = None
        if rule is not None and rule.kind not in ("lost_response", "unseen"):
            reply = _struck(service, request, rule)
        else:
            publisher = self.cloud.publisher
            marks = publisher.marks()
            reply = self.handle(service, request)
            self.unseen.remember(request, reply, self.cloud.clock.seconds())
            await publisher.caught_up(marks)
            if rule is not None and rule.kind == "unseen" and request.method == "GET":
                reply = self._lagging(service, request, reply, rule.seconds)
        call.user_name = request.caller.user_name
        if rule is not None and rule.kind == "lost_response":
            await _abort(send)
            return
        call.status = reply.status
        reply.headers = {**service.version_headers(request), **reply.headers}
        await _send(send, reply, request.method)

    def _take_host(self, host: str) -> None:
        """Links and the catalog name the twin as its caller did, so that it may be reached by several names."""
        if HOST.match(host):
            self.cloud.base_url = f"http://{host}"

    def handle(self, service: Service, request: Request) -> Reply:
        """The service's answer, errors rendered."""
        try:
            service.negotiate(request)
            if not service.public(request):
                tokens, token_id = self.cloud.keystone.tokens, request.headers.get("x-auth-token", "")
                caller = tokens.caller(token_id)
                if caller is None or not tokens.permits(token_id, service.catalog_type, request.method, request.path):
                    return service.unauthorized()
                request.caller = self._identified(caller, request)
            handler, request.params = service.router.find(request.method, request.path)
            return handler(request)
        except ApiError as error:
            return service.render(error, request)
        except Exception:
            log.exception("%s %s %s", service.name, request.method, request.path)
            return service.render(ApiError(500, "The server has encountered an unexpected error."), request)

    def _lagging(self, service: Service, request: Request, reply: Reply, lag_seconds: float) -> Reply:
        try:
            return self.unseen.hide(request, reply, self.cloud.clock.seconds(), lag_seconds)
        except ApiError as error:
            return service.render(error, request)

    def _identified(self, caller: Any, request: Request) -> Any:
        from dataclasses import replace

        given = request.headers.get("x-openstack-request-id", "")
        return replace(
            caller,
            request_id=request.request_id,
            global_request_id=given if GLOBAL_ID.match(given) else None,
        )


def _struck(service: Service, request: Request, rule: FaultRule) -> Reply:
    """The reply of a fault that leaves no effect behind."""
    retry = {"Retry-After": str(max(1, round(rule.seconds)))}
    if rule.kind == "429":
        error = ApiError(429, "Too many requests; try again later.", headers=retry)
    elif rule.kind == "503":
        error = ApiError(503, "The server is currently unavailable. Please try again at a later time.", headers=retry)
    elif rule.kind == "401":
        return service.unauthorized()
    elif rule.kind == "409":
        error = ApiError(409, "The resource was concurrently modified.")
    elif rule.kind == "quota":
        error = quota_error(service.name)
    else:
        error = ApiError(500, "Unexpected API Error. Please report this.")
    return service.render(error, request)


def quota_error(service: str) -> ApiError:
    """Over quota, as the service says it."""
    if service == "neutron":
        return ApiError(409, "Quota exceeded for resources: ['port'].", "OverQuota")
    if service == "nova":
        return ApiError(403, "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances")
    if service == "cinder":
        return ApiError(413, "VolumeLimitExceeded: Maximum number of volumes allowed (0) exceeded for quota 'volumes'.")
    if service == "manila":
        return ApiError(
            413,
            "ShareLimitExceeded: Maximum number of shares allowed (0) either per project/user or share type quota is "
            "exceeded.",
        )
    return ApiError(413, "Over quota.")


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _send(send: Send, reply: Reply, method: str) -> None:
    body = b""
    headers = dict(reply.headers)
    if isinstance(reply.body, bytes):
        body = reply.body
        headers.setdefault("Content-Type", "application/json")
    elif reply.body is not None:
        body = orjson.dumps(reply.body)
        headers.setdefault("Content-Type", "application/json")
    headers["Content-Length"] = str(len(body))
    if reply.status == 204:
        del headers["Content-Length"]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


async def _abort(send: Send) -> None:
    """Resets the connection without a byte of reply: uvicorn's cycle holds the transport."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError("lost_response needs uvicorn")
    transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)
