"""Settings that every service has. From the environment (`TRESOR_…`), or from files in the secrets directory."""

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.site import Site
from shared.errors import Configuration

MAX_SITE_FILE_BYTES = 1024 * 1024


class ServiceSettings(BaseSettings):
    """Every service's settings; a file named as a variable (lower case) in TRESOR_SECRETS_DIR serves as well."""

    model_config = SettingsConfigDict(
        env_prefix="TRESOR_", extra="ignore", secrets_dir=os.environ.get("TRESOR_SECRETS_DIR")
    )

    amqp_url: SecretStr
    """Tresor's own broker, as this service's user."""
    openstack_amqp_url: SecretStr | None = None
    """OpenStack's notification bus; None: no notifications, the scan alone finds changes."""
    database_dsn: SecretStr
    """PostgreSQL, as this service's role."""
    keyring_path: Path
    signing_key_path: Path
    site_path: Path
    clouds_path: Path | None = None
    """clouds.yaml; None: openstacksdk's own search."""
    cloud_name: str = ""
    """The entry of clouds.yaml; empty for a service that calls no cloud."""
    mode: Literal["observe", "enforce"] = "observe"
    """`observe` reads, proves, plans and reports, and writes nothing to the cloud."""
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    """For /healthz, /readyz and /metrics; 0 takes a free one."""
    scan_seconds: float = Field(default=45.0, gt=0)
    """How often everything is looked at again, for what OpenStack is silent about."""
    cloud_threads: int = Field(default=12, ge=1, le=64)
    cloud_timeout_seconds: float = Field(default=60.0, gt=0)
    prefetch: int = Field(default=64, ge=1, le=2000)
    lane_lease_seconds: float = Field(default=10.0, gt=0)
    work_concurrency: int = Field(default=24, ge=1, le=1000)
    """How many keys one replica works on at once."""
    inbox_days: float = Field(default=30.0, ge=1)
    """How long handled events are kept. Commands are kept for ever: an id is good once."""
    outbox_days: float = Field(default=400.0, ge=1)
    """How long events that were told are all kept, for a service that lost its database or comes later. After that, and once
    the audit log has them, the last of each type of a workspace is."""
    effects_days: float = Field(default=90.0, ge=1)
    """How long it is kept which calls changed the cloud; the audit log keeps their events for ever."""
    refused_days: float = Field(default=90.0, ge=1)
    """How long the bytes of refused and parked input are kept; what is parked stays until somebody decides."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    traces_path: Path | None = None
    """Spans as JSON lines; OTEL_EXPORTER_OTLP_ENDPOINT sends them to a collector as well."""


def load_site(path: Path) -> Site:
    """The site file. Raises Configuration with the field that is wrong."""
    try:
        if path.stat().st_size > MAX_SITE_FILE_BYTES:
            raise Configuration(f"the site file {path} is larger than {MAX_SITE_FILE_BYTES} octets")
        return Site.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise Configuration(f"the site file {path} can't be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise Configuration(f"the site file {path} is no YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Configuration(f"the site file {path}, {field}: {first['msg']}") from None
