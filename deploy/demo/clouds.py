"""The cloud that the demo runs on: the twin, started here, or the lab's real OpenStack, which runs already."""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import yaml

from bootstrap.console import Lacking
from bootstrap.places import CHECKOUT
from bootstrap.processes import Process, spawn

START_SECONDS = 30.0
CONNECT_SECONDS = 3.0


class CloudAccess(Protocol):
    """How to reach a cloud."""

    clouds_path: Path
    bus_url: str
    """Where its notifications appear; empty: on the demo's own broker, as each service's user."""
    words: str
    is_ours: bool
    """Whether it ends with the demo, with everything in it."""


class Twin:
    """OpenStack in one process, publishing to the demo's broker."""

    bus_url = ""
    is_ours = True

    def __init__(self, folder: Path, log_path: Path, notify_url: str) -> None:
        self.clouds_path = folder / "clouds.yaml"
        self._ready_path = folder / "twin.url"
        self._log_path = log_path
        self._notify_url = notify_url
        self.words = "the twin"

    def start(self) -> Process:
        """Start it and wait until it answers. Raises Lacking."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "TWIN_"))}
        environment = kept | {"TWIN_AMQP_URL": self._notify_url, "TWIN_READY_FILE": str(self._ready_path)}
        try:
            process = spawn([sys.executable, "-m", "twin.main"], environment, self._log_path, CHECKOUT)
        except OSError as error:
            raise Lacking(f"the twin did not start: {error}") from None
        deadline = time.monotonic() + START_SECONDS
        while not (self._ready_path.exists() and self._ready_path.read_text().endswith("\n")):
            if not process.is_alive() or time.monotonic() > deadline:
                process.kill()
                tail = self._log_path.read_text(errors="replace")[-3000:]
                raise Lacking(f"the twin did not start; the end of {self._log_path}:\n{tail}")
            time.sleep(0.05)
        from twin import clouds
        from twin.settings import TwinSettings

        url = self._ready_path.read_text().strip()
        clouds.write(self.clouds_path, f"{url}/identity/v3", TwinSettings())
        self.words = f"the twin at {url}"
        return process


class Lab:
    """The real control plane that `make lab-up` started; the environment names its files."""

    is_ours = False

    def __init__(self) -> None:
        clouds, bus = os.environ.get("OS_CLIENT_CONFIG_FILE", ""), os.environ.get("TRESOR_LAB_BUS_URL", "")
        if not clouds or not bus:
            raise Lacking("the lab is not named: `make lab-demo`, or `. $TRESOR_LAB/etc/lab.env` before this")
        if not Path(clouds).is_file():
            raise Lacking(f"the lab's clouds.yaml is not at {clouds}: `make lab-up`")
        self.clouds_path = Path(clouds)
        self.bus_url = bus
        for what, url in (("Keystone", _keystone_url(self.clouds_path)), ("RabbitMQ", bus)):
            if trouble := _not_listening(url):
                raise Lacking(f"the lab is not up: its {what} does not answer ({trouble}); start it with `make lab-up`")
        self.words = f"the real OpenStack of {json.dumps(str(self.clouds_path))}"


def _keystone_url(clouds_path: Path) -> str:
    """Where the lab's administrator logs in. Raises Lacking."""
    try:
        return str(yaml.safe_load(clouds_path.read_text())["clouds"]["lab"]["auth"]["auth_url"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        raise Lacking(f"{clouds_path} has no cloud 'lab' with an auth_url: `make lab-up` writes it") from None


def _not_listening(url: str) -> str:
    """Why nobody answers at that address; empty when somebody does."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((str(parts.hostname), int(parts.port or 0)), CONNECT_SECONDS):
            return ""
    except OSError as error:
        return f"{parts.hostname}:{parts.port}: {error.strerror or error}"
