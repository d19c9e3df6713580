"""Whence packages come is the site's own affair: what is set for pip holds for uv too, and the other way round for
certificates. No address is written here; without any setting both use the public index."""

import ast
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bootstrap.console import Console
from bootstrap.debian import unpack_packages
from bootstrap.places import TOOLS

_SYSTEM_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
_CERTIFICATE_VARIABLES: Final = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_COUNTERPARTS: Final = (
    ("index-url", ("UV_DEFAULT_INDEX", "UV_INDEX_URL")),
    ("extra-index-url", ("UV_INDEX", "UV_EXTRA_INDEX_URL")),
    ("find-links", ("UV_FIND_LINKS",)),
    ("no-index", ("UV_NO_INDEX",)),
    ("trusted-host", ("UV_INSECURE_HOST",)),
)
"""A setting of pip, and uv's names for it; uv splits lists of links and hosts at commas where pip does at blanks."""


def certificate_settings(
    console: Console,
    environment: Mapping[str, str] = os.environ,
    tools: Path = TOOLS,
    system: Path = _SYSTEM_CERTIFICATES,
) -> dict[str, str]:
    """PIP_CERT and SSL_CERT_FILE: the first bundle the environment names, else the system's, else Debian's, fetched."""
    named = next((environment[name] for name in _CERTIFICATE_VARIABLES if environment.get(name)), "")
    if named:
        return {
            "PIP_CERT": environment.get("PIP_CERT", named),
            "SSL_CERT_FILE": environment.get("SSL_CERT_FILE", named),
        }
    if system.exists():
        return {}
    bundle = tools / "certificates" / "bundle.pem"
    if not bundle.exists():
        console.step("this machine has no certificates of authorities: taking those of Debian's ca-certificates")
        root = unpack_packages(("ca-certificates",), tools / "certificates" / "debian", console)
        parts = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
        bundle.write_text("".join(part.read_text() for part in parts))
    return {"PIP_CERT": str(bundle), "SSL_CERT_FILE": str(bundle)}


def uv_settings(pip_settings: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """uv's variables for what is set for pip; uv's own settings win.

    pip takes a version from whichever index has it, so uv is told to as well: every file's hash is in the lock.
    """
    found: dict[str, str] = {}
    for option, names in _COUNTERPARTS:
        value = environment.get(f"PIP_{option.upper().replace('-', '_')}") or pip_settings.get(option, "")
        if value and not any(environment.get(name) for name in names):
            separator = "," if names[0] in ("UV_FIND_LINKS",) else " "
            found[names[0]] = separator.join(value.split())
    if "UV_INDEX" in found and not environment.get("UV_INDEX_STRATEGY"):
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


def pip_settings(python: str) -> dict[str, str]:
    """What pip's configuration files say, by option; empty when this Python has no pip."""
    done = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    found: dict[str, str] = {}
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        name, _, value = line.partition("=")
        scope, _, option = name.partition(".")
        if scope in ("global", "install"):
            found[option] = str(ast.literal_eval(value))
    return found
