"""Settings of the command line: the environment (`TRESOR_…`) first, then `~/.config/tresor/config.yaml`.

A file named as a setting in TRESOR_SECRETS_DIR serves as well, as it does for the services. Plain code rather than
pydantic-settings, whose import alone takes longer than most commands here.
"""

import os
import stat
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from operator_cli.exits import Exit, Stop


@dataclass(frozen=True)
class Settings:
    """What the commands need to know of the site."""

    amqp_url: str = field(default="", metadata={"words": "Tresor's broker: amqp://operator:PASSWORD@HOST:5672/tresor"})
    signing_key_path: Path | None = field(
        default=None, metadata={"words": "your private key (JWK), for your eyes only"}
    )
    keyring_path: Path | None = field(default=None, metadata={"words": "the public keys; events are verified with it"})
    holder: str = field(default="", metadata={"words": "who you are; else what the keyring says of your key"})
    site_path: Path | None = field(
        default=None, metadata={"words": "the site file; documents are checked against it first"}
    )
    timeout_seconds: float = field(default=10.0, metadata={"words": "how long a query may wait for its answer"})
    openstack_amqp_url: str = field(default="", metadata={"words": "OpenStack's bus, for the doctor"})
    management_url: str = field(default="", metadata={"words": "RabbitMQ's management API, for the doctor"})
    clouds_path: Path | None = field(default=None, metadata={"words": "clouds.yaml, for the doctor"})
    cloud_names: tuple[str, ...] = field(default=(), metadata={"words": "its entries that the doctor tries, by comma"})
    ready_urls: tuple[str, ...] = field(
        default=(), metadata={"words": "the services' /readyz, for the doctor, by comma"}
    )


def config_path() -> Path:
    """Where the file of settings lies: TRESOR_CONFIG, else in the user's configuration folder."""
    named = os.environ.get("TRESOR_CONFIG")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "tresor" / "config.yaml"


def load() -> Settings:
    """The settings. Raises Stop when the file or a value can't be used."""
    given = _from_file(config_path())
    for one in fields(Settings):
        value = _from_environment(one.name)
        if value is not None:
            given[one.name] = value
    known = {one.name: one for one in fields(Settings)}
    return Settings(**{name: _typed(name, known[name].default, value) for name, value in given.items()})


def _from_environment(name: str) -> str | None:
    value = os.environ.get(f"TRESOR_{name.upper()}")
    if value is not None:
        return value
    folder = os.environ.get("TRESOR_SECRETS_DIR")
    if folder and (path := Path(folder) / name).is_file():
        return path.read_text().strip()
    return None


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        if os.environ.get("TRESOR_CONFIG"):
            raise Stop(Exit.USAGE, f"TRESOR_CONFIG names {path}, which is not there", "correct it, or unset it")
        return {}
    from shared.yaml_source import BadSource, read

    try:
        source = read(path)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can't be read: {error.strerror}") from None
    except BadSource as error:
        first = error.complaints[0]
        line = f":{first.place.line}" if first.place else ""
        raise Stop(Exit.USAGE, f"{path}{line}: {first.reason}", first.remedy) from None
    names = {one.name for one in fields(Settings)}
    for name in source.values:
        if name not in names:
            place = source.place((name,), key=True)
            line = f":{place.line}" if place else ""
            raise Stop(Exit.USAGE, f"{path}{line}: there is no setting '{name}'", f"known: {', '.join(sorted(names))}")
    if any("amqp" in name or "management" in name for name in source.values) and path.stat().st_mode & (
        stat.S_IRGRP | stat.S_IROTH
    ):
        raise Stop(Exit.USAGE, f"{path} holds a broker's password and can be read by others", f"chmod 600 {path}")
    return source.values


def is_broker_url(text: str) -> bool:
    """Whether a broker can be connected to by that: a scheme of AMQP's, a host, a port that is one; or nothing at all."""
    if not text:
        return True
    try:
        parts = urlsplit(text)
        return parts.scheme in ("amqp", "amqps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _typed(name: str, default: Any, value: Any) -> Any:
    if name.endswith("_path"):
        return Path(str(value)).expanduser()
    if isinstance(default, float):
        try:
            return float(value)
        except (TypeError, ValueError):
            raise Stop(Exit.USAGE, f"the setting {name} is '{value}'; a number of seconds is wanted") from None
    if name.endswith("amqp_url") and not is_broker_url(str(value)):
        raise Stop(
            Exit.USAGE,
            f"the setting {name} is no broker's URL",  # its words may hold a password
            "write amqp://USER:PASSWORD@HOST:5672/VHOST, or amqps://",
        )
    if isinstance(default, tuple):
        parts = value if isinstance(value, list) else str(value).split(",")
        return tuple(str(part).strip() for part in parts if str(part).strip())
    return str(value)
