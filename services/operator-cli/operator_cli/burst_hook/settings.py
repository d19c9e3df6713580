"""The hook's settings: one JSON file that only Slurm's user may write, with the places of the secrets."""

import json
import os
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 64 * 1024


class Unusable(Exception):
    """The settings, or a file that they name, can't be used as they are."""


@dataclass(frozen=True)
class Broker:
    """Tresor's broker, as the user of the hooks."""

    host: str
    port: int
    vhost: str
    user: str
    password_path: str
    ca_path: str = ""
    """The authorities' certificates of TLS; empty: no TLS, for a broker on this very machine."""


@dataclass(frozen=True)
class Settings:
    """Of one Slurm cluster."""

    workspace: str
    """Whose pool the cluster's cloud nodes belong to."""
    holder: str
    """Of the signing key, as the services' keyring has it."""
    signing_key_path: str
    spool_path: str
    """The folder of the calls that are not sent; the programs have it written in them."""
    broker: Broker
    send_seconds: float = 900.0
    """How long a hook's detached process goes on trying; what is left then is sent by a later call."""


def load(path: str) -> Settings:
    """The settings in that file. Raises Unusable."""
    try:
        with open(path, "rb") as file:
            fields: dict[str, Any] = json.loads(file.read(MAX_BYTES))
        return Settings(**{**fields, "broker": Broker(**fields["broker"])})
    except OSError as error:
        raise Unusable(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise Unusable(f"{path}: {error}") from None


def read_secret(path: str) -> str:
    """What is in a file that nobody but its owner reads. Raises Unusable."""
    try:
        if os.stat(path).st_mode & 0o077:
            raise Unusable(f"{path} can be read by others than its owner: chmod 600 {path}")
        with open(path) as file:
            return file.read(MAX_BYTES).strip()
    except OSError as error:
        raise Unusable(f"{path} can't be read: {error.strerror}") from None
