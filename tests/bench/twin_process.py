"""The twin as a process of its own, so that its work is not in the measured or killed process's way."""

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twin import clouds
from twin.settings import TwinSettings

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0
NOTIFYING_WORKERS = 8
"""One alone, which waits for each of its notifications to be confirmed, would be what a storm measures."""


@dataclass(frozen=True)
class TwinProcess:
    """Handles of a twin that runs."""

    base_url: str
    clouds_file: Path
    pid: int

    def control(self, path: str, body: Any = None) -> Any:
        """Asks `/twin/<path>`; posts when there is a body."""
        data = json.dumps(body).encode() if body is not None else None
        with urllib.request.urlopen(f"{self.base_url}/twin/{path}", data, 60) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def writes(self, after: int = 0) -> list[dict[str, Any]]:
        """The calls after that number that change something, oldest first."""
        found: list[dict[str, Any]] = self.control(f"requests/{after}/writes")["requests"]
        return found

    def notifications(self) -> list[dict[str, Any]]:
        """The latest 5,000 notifications, as they were emitted."""
        found: list[dict[str, Any]] = self.control("notifications")["notifications"]
        return found


@asynccontextmanager
async def twin_process(folder: Path, amqp_url: str, seed: int = 1) -> AsyncIterator[TwinProcess]:
    """A twin until the block ends."""
    ready = folder / "twin.url"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "deploy"),
        "TWIN_NOTIFYING_WORKERS": str(NOTIFYING_WORKERS),
    }
    with (folder / "twin.log").open("a") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "twin.main", "--port", "0", "--amqp-url", amqp_url, "--seed", str(seed),
            "--ready-file", str(ready), env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        async with asyncio.timeout(START_SECONDS):
            while not ready.exists() or not ready.read_text().endswith("\n"):
                await asyncio.sleep(0.05)
            base_url = ready.read_text().strip()
            while True:
                try:
                    await asyncio.to_thread(urllib.request.urlopen, f"{base_url}/twin/state", None, 2)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        clouds_file = folder / "clouds.yaml"
        clouds.write(clouds_file, f"{base_url}/identity/v3", TwinSettings(amqp_url=amqp_url, seed=seed))
        yield TwinProcess(base_url, clouds_file, process.pid)
    finally:
        process.terminate()
        await process.wait()
