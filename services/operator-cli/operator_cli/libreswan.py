"""Both ends of a tunnel as Libreswan is configured: connection files and the shared secret."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

from contracts.tunnel import End, TunnelDocument

SECRET_OCTETS = 32


def connection(document: TunnelDocument, side: str) -> str:
    """`ipsec.d/<name>.conf` of that side, `near` or `far`; its own gateway is always `left`.

    The near end begins; both ask after each other and begin anew when nothing is answered. IKEv2 has no `dpdtimeout`: what
    limits the wait for an answer is `retransmit-timeout`.
    """
    own, other = (document.near, document.far) if side == "near" else (document.far, document.near)
    settings = {
        "type": "tunnel",
        "ikev2": "insist",
        "authby": "secret",
        **_end("left", own, own.own_address or own.gateway),
        **_end("right", other, other.gateway),
        "ike": ",".join(document.ike),
        "esp": ",".join(document.esp),
        "pfs": "yes",
        "ikelifetime": f"{document.ike_lifetime_seconds}s",
        "salifetime": f"{document.sa_lifetime_seconds}s",
        "dpddelay": f"{document.liveness_seconds}s",
        "retransmit-timeout": f"{document.dead_seconds}s",
        "dpdaction": "restart",
        "fragmentation": "yes",
        "mtu": str(document.inner_mtu_bytes),
        "auto": "start" if side == "near" else "add",
    }
    lines = (f"    {name}={value}\n" for name, value in settings.items())
    return f"# The {side} end of tunnel {document.name}; made by tresor, from the same document as the other end.\nconn tresor-{document.name}\n{''.join(lines)}"


def _end(side: str, end: End, address: str) -> dict[str, str]:
    several = len(end.prefixes) > 1
    networks = f"{{{','.join(end.prefixes)}}}" if several else end.prefixes[0]
    return {side: address, f"{side}id": end.gateway, f"{side}subnet{'s' if several else ''}": networks}


def write_ends(
    document: TunnelDocument, folder: Path, random_octets: Callable[[int], bytes] = os.urandom
) -> dict[str, tuple[Path, Path]]:
    """Write the files of both ends below `folder`, by side: the connection, and the secret that only its owner reads.

    A secret that is there stays: both ends would have to change at once. Raises OSError.
    """
    written = {side: _paths(folder / side, document.name) for side in ("near", "far")}
    secrets = [path.read_text() for _, path in written.values() if path.exists()]
    secret = secrets[0] if secrets else _secret_line(document, random_octets(SECRET_OCTETS))
    for side, (configuration, kept) in written.items():
        configuration.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration.write_text(connection(document, side))
        if not kept.exists():
            with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secret)
    return written


def _paths(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / f"{name}.conf", folder / f"{name}.secrets"


def _secret_line(document: TunnelDocument, octets: bytes) -> str:
    return f'{document.near.gateway} {document.far.gateway} : PSK "{base64.b64encode(octets).decode()}"\n'
