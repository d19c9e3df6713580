"""A running twin for tests, in this process on a thread of its own; usable with `with` and with `async with`."""

import asyncio
import json
import os
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from twin import clouds as clouds_yaml
from twin.main import build, listen, server
from twin.settings import TwinSettings

START_TIMEOUT_SECONDS = 20.0
AMQP_VARIABLES = ("TWIN_AMQP_URL", "TRESOR_TEST_AMQP_URL", "TRESOR_AMQP_URL")
"""Where a test's broker is looked for when no URL is given."""


class RunningTwin:
    """Handles of a twin that runs."""

    def __init__(self, amqp_url: str | None = None, seed: int = 1, **settings: Any) -> None:
        if amqp_url is None:
            amqp_url = next((os.environ[name] for name in AMQP_VARIABLES if os.environ.get(name)), None)
        self._settings = TwinSettings(amqp_url=amqp_url or None, seed=seed, port=0, **settings)
        self._folder = tempfile.TemporaryDirectory(prefix="twin-")
        self._thread: threading.Thread | None = None

    @property
    def bus_url(self) -> str:
        """The broker that the notifications go to; empty without one."""
        return self._settings.amqp_url or ""

    @property
    def base_url(self) -> str:
        """The twin's scheme, host and port."""
        return self._application.cloud.base_url

    @property
    def auth_url(self) -> str:
        """Keystone v3."""
        return f"{self.base_url}/identity/v3"

    @property
    def clouds_file(self) -> Path:
        """A clouds.yaml with every entry of `clouds`."""
        return Path(self._folder.name) / "clouds.yaml"

    def clouds(self, user: str = "twin") -> dict[str, Any]:
        """The entry of a user: `twin` or `lab` (administrator), `twin-system`, or a Tresor service's user."""
        entry: dict[str, Any] = clouds_yaml.clouds(self.auth_url, self._settings)["clouds"][user]
        return entry

    def faults(self, *rules: dict[str, Any]) -> list[dict[str, Any]]:
        """Adds fault rules (see `twin.core.faults.FaultRule`); without any, lists those in force."""
        answer = self._call("POST", "faults", list(rules)) if rules else self._call("GET", "faults")
        found: list[dict[str, Any]] = answer["faults"]
        return found

    def clear_faults(self) -> None:
        """Takes every fault rule away."""
        self._call("DELETE", "faults")

    def reset(self) -> None:
        """Back to the seeded state."""
        self._call("POST", "reset")

    def requests(self, after: int = 0, *, writes_only: bool = True) -> list[dict[str, Any]]:
        """The calls that came in after that number, oldest first (see `twin.core.journal.Call`)."""
        answer = self._call("GET", f"requests/{after}{'/writes' if writes_only else ''}")
        found: list[dict[str, Any]] = answer["requests"]
        return found

    def networking(self) -> dict[str, list[dict[str, Any]]]:
        """All of Neutron's resources by their plural, at one instant."""
        found: dict[str, list[dict[str, Any]]] = self._call("GET", "networking")
        return found

    def state(self) -> dict[str, Any]:
        """Counts of everything."""
        found: dict[str, Any] = self._call("GET", "state")
        return found

    def notifications(self) -> list[dict[str, Any]]:
        """The latest notifications, oldest first, as they were emitted (faults of notifications applied)."""
        found: list[dict[str, Any]] = self._call("GET", "notifications")["notifications"]
        return found

    def advance(self, seconds: float) -> None:
        """Moves the twin's clock on; what falls due on the way happens."""
        self._call("POST", "clock", {"advance_seconds": seconds})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.base_url}/twin/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def start(self) -> Self:
        """Starts it and waits until it answers."""
        listener = listen(self._settings)
        self._application, self._publisher = build(self._settings, listener.getsockname()[1])
        self._server = server(self._application)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[listener])), name="twin", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline:
                raise TimeoutError("the twin did not start")
            time.sleep(0.01)
        clouds_yaml.write(self.clouds_file, self.auth_url, self._settings)
        return self

    def stop(self) -> None:
        """Stops it."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(10)
        self._publisher.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def running_twin(amqp_url: str | None = None, seed: int = 1, **settings: Any) -> RunningTwin:
    """A twin for the time of a `with` or `async with` block; settings as in TwinSettings.

    Without `amqp_url` the broker is the one that the environment names; an empty one is a twin without a broker.
    """
    return RunningTwin(amqp_url, seed, **settings)
