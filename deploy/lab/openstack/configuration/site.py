"""What all services share: places, ports, credentials, and the sections that look alike everywhere."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Value = str | int | Path
Sections = dict[str, dict[str, Value]]

HOST = "127.0.0.1"
OWN_TOPIC = "tresor"
"""A second notification topic, beside OpenStack's own: every message is published on both."""


SERVICE_TYPES = {
    "cinder": "block-storage",
    "glance": "image",
    "ironic": "baremetal",
    "manila": "shared-file-system",
    "neutron": "network",
    "nova": "compute",
    "placement": "placement",
}
"""Of each service's user, as in the catalogue."""


@dataclass(frozen=True)
class Site:
    """The settings of settings.sh, as values."""

    folder: Path
    etc: Path
    state: Path
    venv: Path
    password: str
    ports: Mapping[str, int]
    vhost: str
    vhost_cell: str
    computes: int
    debug: str
    keystone_notifications: str
    power_delay_seconds: str
    deploy_delay_seconds: str

    @classmethod
    def from_environment(cls) -> "Site":
        """Reads what settings.sh exported. Raises KeyError where that was not sourced."""
        env = os.environ
        prefix = "LAB_PORT_"
        return cls(
            folder=Path(env["TRESOR_LAB"]),
            etc=Path(env["LAB_ETC"]),
            state=Path(env["LAB_STATE"]),
            venv=Path(env["LAB_VENV"]),
            password=env["LAB_PASSWORD"],
            ports={name.removeprefix(prefix).lower(): int(env[name]) for name in env if name.startswith(prefix)},
            vhost=env["LAB_VHOST"],
            vhost_cell=env["LAB_VHOST_CELL"],
            computes=int(env["LAB_COMPUTES"]),
            debug=env["LAB_DEBUG"],
            keystone_notifications=env["LAB_KEYSTONE_NOTIFICATIONS"],
            power_delay_seconds=env["LAB_BAREMETAL_POWER_DELAY"],
            deploy_delay_seconds=env["LAB_BAREMETAL_DEPLOY_DELAY"],
        )

    @property
    def auth_url(self) -> str:
        """Keystone's address."""
        return f"http://{HOST}:{self.ports['keystone']}/v3"

    def transport_url(self, vhost: str) -> str:
        """oslo.messaging's URL of a vhost of the lab's broker."""
        return f"rabbit://oslab:{self.password}@{HOST}:{self.ports['amqp']}/{vhost}"

    def database_url(self, name: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"mysql+pymysql://oslab:{self.password}@{HOST}:{self.ports['mariadb']}/{name}?charset=utf8mb4"

    def database(self, name: str) -> dict[str, Value]:
        """A [database] section; pools are small since 30 processes share one server."""
        return {"connection": self.database_url(name), "max_pool_size": 5, "max_overflow": 20}

    def client(self, user: str) -> dict[str, Value]:
        """A section by which a service calls another one as `user`."""
        return {
            "auth_type": "password",
            "auth_url": self.auth_url,
            "username": user,
            "password": self.password,
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            "region_name": "RegionOne",
        }

    def token_validation(self, user: str) -> dict[str, Value]:
        """A [keystone_authtoken] section."""
        return {
            **self.client(user),
            "www_authenticate_uri": self.auth_url,
            "service_type": SERVICE_TYPES[user],  # without it tokens with access rules are refused
            "service_token_roles_required": "true",
            "service_token_roles": "service",
            "interface": "internal",
            "memcached_servers": f"{HOST}:{self.ports['memcached']}",
        }

    def folder_of(self, *parts: str) -> Path:
        """A folder under the state folder, made where it is missing."""
        path = self.state.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def service(self, name: str, vhost: str | None = None) -> Sections:
        """The sections every service on the bus has.

        The notifications' transport is named on its own: with cells, a compute node would otherwise notify in the
        cell's vhost, where nobody listens.
        """
        return {
            "DEFAULT": {
                "transport_url": self.transport_url(vhost or self.vhost),
                "debug": self.debug,
                "use_stderr": "true",
                "state_path": self.folder_of(name),
            },
            "oslo_messaging_notifications": {
                "driver": "messagingv2",
                "topics": f"notifications,{OWN_TOPIC}",
                "transport_url": self.transport_url(self.vhost),
            },
            "oslo_concurrency": {"lock_path": self.folder_of(name, "lock")},
            "oslo_policy": {"enforce_scope": "true", "enforce_new_defaults": "true"},
        }

    def put(self, path: str, *layers: Sections) -> None:
        """Writes an INI file under the etc folder; a later layer's keys win."""
        sections: Sections = {}
        for layer in layers:
            for name, keys in layer.items():
                sections.setdefault(name, {}).update(keys)
        target = self.etc / path
        target.parent.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        for name, keys in sections.items():
            lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items()), ""]
        target.write_text("\n".join(lines))
