"""The twin as a process: `python -m twin.main --port N --amqp-url URL --seed N`."""

import argparse
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from twin.app import Application
from twin.cloud import Cloud
from twin.core.bus import Publisher
from twin.settings import TwinSettings

log = logging.getLogger("twin")

_THREAD_TURN_SECONDS = 0.0005
"""How long answering may keep a notification waiting; Python's own 5 ms add up."""


def listen(settings: TwinSettings) -> socket.socket:
    """The listening socket."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    listener.listen(1024)
    return listener


def build(settings: TwinSettings, port: int) -> tuple[Application, Publisher]:
    """The application of a new cloud, and its publisher, not yet started."""
    publisher = Publisher(settings.amqp_url, settings.extra_topics, settings.notifying_workers)
    return Application(Cloud(settings, f"http://{settings.host}:{port}", publisher)), publisher


def server(application: Application) -> uvicorn.Server:
    """uvicorn, quiet and without access logs."""
    config = uvicorn.Config(
        application,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    return uvicorn.Server(config)


def _arguments() -> dict[str, Any]:
    parser = argparse.ArgumentParser(prog="python -m twin.main", description=__doc__)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int, help="0, the default, takes a free one")
    parser.add_argument("--amqp-url", help="where notifications go")
    parser.add_argument("--extra-topic", action="append", dest="extra_topics", help="beside the standard topics")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--delay-scale", type=float, help="multiplies every asynchronous delay")
    parser.add_argument("--ready-file", help="written with the base URL once the port is open")
    return {name: value for name, value in vars(parser.parse_args()).items() if value is not None}


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    sys.setswitchinterval(_THREAD_TURN_SECONDS)
    settings = TwinSettings(**_arguments())
    listener = listen(settings)
    port = listener.getsockname()[1]
    application, publisher = build(settings, port)
    base_url = application.cloud.base_url
    sys.stdout.write(f"{base_url}/identity/v3\n")
    sys.stdout.flush()
    if settings.ready_file:
        Path(settings.ready_file).write_text(base_url + "\n")
    try:
        server(application).run(sockets=[listener])
    finally:
        publisher.stop()


if __name__ == "__main__":
    main()
