"""A small HTTP server for whoever runs a service: alive, ready, metrics."""

import asyncio
import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals are the service's own matter."""
        yield


class HealthServer:
    """/healthz: the process works. /readyz: 200 when every part it needs works, else 503 with what is missing. /metrics."""

    def __init__(self, host: str, port: int, readiness: Callable[[], dict[str, bool]]) -> None:
        self._readiness = readiness
        # Named, since uvicorn takes a bound method for an application of ASGI 2.
        config = uvicorn.Config(
            self._app, interface="asgi3", host=host, port=port, log_config=None, lifespan="off", access_log=False
        )
        self._server = _Server(config)

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._server.serve()

    async def port(self) -> int:
        """The port, once it is open."""
        while not self._server.started:  # noqa: ASYNC110  uvicorn tells it no other way
            await asyncio.sleep(0.01)
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Close the port."""
        self._server.should_exit = True

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        status, kind, body = self._answer(scope["path"])
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, generate_latest()
        if path == "/healthz":
            return 200, "application/json", b'{"alive": true}'
        if path == "/readyz":
            parts = self._readiness()
            return (200 if all(parts.values()) else 503), "application/json", json.dumps(parts).encode()
        return 404, "application/json", b'{"error": "try /healthz, /readyz or /metrics"}'
