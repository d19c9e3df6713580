"""Somebody with the administrator's password who opens SSH to the world, past Tresor, through OpenStack's own API."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Rogue:
    """A rule that nobody declared."""

    rule_id: str
    group_name: str
    created_at: float
    """On the monotonic clock, when the API call that made it returned."""


class Intruder:
    """The administrator of the cloud, acting behind Tresor's back. Every method blocks."""

    def __init__(self, clouds_path: Path, cloud_name: str) -> None:
        import openstack.config
        from openstack.connection import Connection

        config = openstack.config.OpenStackConfig(config_files=[str(clouds_path)], load_envvars=False, pw_func=None)
        self._connection: Any = Connection(config=config.get_one(cloud=cloud_name, api_timeout=30))
        self._connection.authorize()

    def open_ssh(self, group_name: str) -> Rogue:
        """Permit tcp/22 from anywhere in the group of that name, whoever's it is. Raises LookupError without one."""
        network = self._connection.network
        group = next(iter(network.security_groups(name=group_name)), None)
        if group is None:
            raise LookupError(f"the cloud has no security group {group_name}")
        rule = network.create_security_group_rule(
            security_group_id=group.id,
            direction="ingress",
            ethertype="IPv4",
            protocol="tcp",
            port_range_min=22,
            port_range_max=22,
            remote_ip_prefix="0.0.0.0/0",
        )
        return Rogue(rule.id, group.name, time.monotonic())

    def seconds_until_gone(self, rogue: Rogue, limit_seconds: float) -> float | None:
        """How long the rule stood, from the call's return until the API knows it no more; None: it still stands."""
        from openstack.exceptions import NotFoundException

        while time.monotonic() - rogue.created_at < limit_seconds:
            try:
                self._connection.network.get_security_group_rule(rogue.rule_id)
            except NotFoundException:
                return time.monotonic() - rogue.created_at
            time.sleep(LOOK_SECONDS)
        return None

    def close_ssh(self, rogue: Rogue) -> None:
        """Take the rule away again, where Tresor has not."""
        self._connection.network.delete_security_group_rule(rogue.rule_id, ignore_missing=True)
