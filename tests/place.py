"""Where the cloud under test is: a twin of the test's own, or the real OpenStack of the lab (TRESOR_CLOUD=lab)."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openstack.config import OpenStackConfig
from openstack.connection import Connection

from bootstrap.leases import BrokerLease
from twin.testing import RunningTwin, running_twin


@dataclass
class Place:
    """Where the cloud is; `admin` may do everything in it."""

    clouds_file: Path
    bus_url_of: Callable[[str], str]
    """OpenStack's bus as that service's user."""
    twin: RunningTwin | None = None
    _connections: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def admin(self) -> Any:
        """As the cloud's administrator."""
        return self._connection("lab")

    @property
    def system(self) -> Any:
        """As the administrator of the whole system, which Ironic asks for."""
        return self._connection("lab-system")

    def _connection(self, entry: str) -> Any:
        if entry not in self._connections:
            config = OpenStackConfig(config_files=[str(self.clouds_file)], load_envvars=False)
            self._connections[entry] = Connection(config=config.get_one(cloud=entry))
        return self._connections[entry]


def twin_place(broker: BrokerLease) -> Iterator[Place]:
    """A twin of the test's own, which notifies on OpenStack's side of the test's broker."""
    with running_twin(amqp_url=broker.openstack_url) as twin:
        yield Place(twin.clouds_file, broker.openstack_url_of, twin)


def chosen_place(broker: BrokerLease) -> Iterator[Place]:
    """The lab where it is named, else a twin."""
    if os.environ.get("TRESOR_CLOUD", "twin") == "lab":
        bus_url = os.environ["TRESOR_LAB_BUS_URL"]
        yield Place(Path(os.environ["OS_CLIENT_CONFIG_FILE"]), lambda _: bus_url)
    else:
        yield from twin_place(broker)
