"""Free ports on the loopback address."""

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST_PORT = 10_000
_HIGHEST_PORT = 16_000


def free_ports(count: int, chooser: random.Random | None = None) -> list[int]:
    """Different ports nobody listens on.

    They lie below the range the kernel gives to outgoing connections: a client that keeps trying to reach a stopped
    server could otherwise be given the server's own port as its source, connect to itself, and keep the server from
    coming back.
    """
    chooser = chooser or random.SystemRandom()
    highest = _HIGHEST_PORT
    if _EPHEMERAL.exists():
        highest = min(highest, int(_EPHEMERAL.read_text().split()[0]) - 1)
    candidates = range(_LOWEST_PORT, highest) if highest > _LOWEST_PORT + count else range(_LOWEST_PORT, 65_000)
    found: list[int] = []
    for port in chooser.sample(candidates, k=min(len(candidates), 2_000)):
        if is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"no {count} free ports between {candidates.start} and {candidates.stop}")


def is_free(port: int) -> bool:
    """Whether a server could listen on that port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(port: int, timeout_seconds: float = 0.5) -> bool:
    """Whether somebody accepts connections on that port."""
    with socket.socket() as probe:
        probe.settimeout(timeout_seconds)
        return probe.connect_ex((LOOPBACK, port)) == 0
