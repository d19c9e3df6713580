"""Random edits of a workspace's network policy by somebody else, each remembered with when and what it touched."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openstack.exceptions import ConflictException, SDKException

PREFIXES = (
    "0.0.0.0/0",
    "10.0.0.1/8",
    "198.51.100.77/24",
    "192.0.2.0/26",
    "203.0.113.9/32",
    "0.0.0.0/1",
    "172.24.4.4/16",
)
"""Everything, prefixes with host bits, and narrow ones."""
TRIES = 4
MAX_MADE_GROUPS = 2
PORTS = (22, 80, 443, 3306, 6817, 8080)


@dataclass
class Edit:
    """One edit. `resource_ids` are the rules and ports that it may have opened; empty where it only closed."""

    kind: str
    at: float
    """Monotonic seconds, when it was asked for."""
    resource_ids: list[str]
    is_done: bool = False


@dataclass
class Editor:
    """Edits at random, by the cloud's administrator; a seed makes the choices again."""

    cloud: Any
    project_id: str
    other_group_id: str
    chance: random.Random
    edits: list[Edit] = field(default_factory=list)
    refused: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    _made_groups: list[str] = field(default_factory=list)
    _edit: Edit = field(default_factory=lambda: Edit("", 0.0, []))

    def edit(self) -> None:
        """Do one thing; after what Neutron refuses, which is counted, another one is tried."""
        if len(self._made_groups) >= MAX_MADE_GROUPS:
            self.tidy()  # a full quota would keep Tresor from making its own groups again
        for _ in range(TRIES):
            self._try()
            if self._edit.is_done:
                return

    def _try(self) -> None:
        doing: Callable[[], None] = self.chance.choices(*zip(*self._choices(), strict=True))[0]
        self._edit = Edit(doing.__name__.strip("_"), time.monotonic(), [])
        self.edits.append(self._edit)
        try:
            doing()
            self._edit.is_done = True
        except (SDKException, IndexError, StopIteration) as error:  # refused, or nothing of the kind is there
            self.refused += 1
            self.refusals[f"{self._edit.kind}: {type(error).__name__} {str(error)[-60:]}"] += 1

    def _touch(self, *resource_ids: str) -> None:
        """What the edit opens, or may have opened if it ends half done."""
        self._edit.resource_ids += resource_ids

    def _choices(self) -> list[tuple[Callable[[], None], int]]:
        return [
            (self._add_rule, 30),
            (self._repeat_rule, 8),
            (self._remove_rule, 15),
            (self._unprotect_port, 10),
            (self._swap_groups, 10),
            (self._pair_addresses, 6),
            (self._delete_group, 4),
            (self._hide_in_own_group, 6),
            (self._open_default_group, 4),
            (self._call_port_trusted, 3),
            (self._give_floating_ip, 2),
            (self._join_router, 2),
        ]

    # -- what there is

    def _groups(self) -> list[Any]:
        found = list(self.cloud.network.security_groups(project_id=self.project_id))
        return [each for each in found if each.id not in self._made_groups]

    def _ours(self) -> Any:
        return self.chance.choice([each for each in self._groups() if each.name != "default"])

    def _port(self) -> Any:
        """A node's port, which is about to be edited."""
        found = self.cloud.network.ports(project_id=self.project_id)
        port = self.chance.choice([each for each in found if not each.device_owner.startswith("network:")])
        self._touch(str(port.id))
        return port

    # -- edits

    def _rule_body(self, group_id: str) -> dict[str, Any]:
        low = self.chance.choice(PORTS)
        body: dict[str, Any] = {
            "security_group_id": group_id,
            "direction": self.chance.choice(("ingress", "egress")),
            "ethertype": "IPv4",
        }
        far = self.chance.random()
        if far < 0.2:
            body["remote_group_id"] = self.other_group_id
        elif far < 0.9:
            body["remote_ip_prefix"] = self.chance.choice(PREFIXES)
        if self.chance.random() < 0.75:
            body |= {"protocol": self.chance.choice(("tcp", "udp", "6")), "port_range_min": low}
            body["port_range_max"] = low + self.chance.randrange(3000)
        elif self.chance.random() < 0.5:
            body["protocol"] = self.chance.choice(("icmp", "vrrp", "47"))
        return body

    def _make_rule(self, body: dict[str, Any]) -> None:
        self._touch(str(self.cloud.network.create_security_group_rule(**body).id))

    def _add_rule(self) -> None:
        self._make_rule(self._rule_body(self._ours().id))

    def _repeat_rule(self) -> None:
        """What is declared, again: the same in Neutron's words, or in others that mean the same."""
        names = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
                 "remote_group_id")  # fmt: skip
        rule = self.chance.choice(self._ours().security_group_rules)
        body = {name: rule[name] for name in names if rule.get(name) is not None}
        if self.chance.random() < 0.7 and body.get("protocol") == "tcp":
            body["protocol"] = "6"
        self._make_rule({**body, "security_group_id": rule["security_group_id"]})

    def _remove_rule(self) -> None:
        rule = self.chance.choice(self._ours().security_group_rules)
        self.cloud.network.delete_security_group_rule(rule["id"], ignore_missing=False)

    def _unprotect_port(self) -> None:
        port = self._port()
        self.cloud.network.update_port(port.id, security_groups=[], is_port_security_enabled=False)

    def _swap_groups(self) -> None:
        port = self._port()
        groups = [each.id for each in self._groups()]
        wanted = self.chance.sample(groups, self.chance.randint(0, min(2, len(groups))))
        self.cloud.network.update_port(port.id, security_groups=wanted)

    def _pair_addresses(self) -> None:
        port = self._port()
        prefix = self.chance.choice(("0.0.0.0/0", "10.42.0.0/16", "192.0.2.16/28"))
        self.cloud.network.update_port(port.id, allowed_address_pairs=[{"ip_address": prefix}])

    def _delete_group(self) -> None:
        """A group of ours that its ports were moved out of."""
        group = self._ours()
        for port in self.cloud.network.ports(project_id=self.project_id):
            if group.id in port.security_group_ids:
                self._touch(str(port.id))
                self.cloud.network.update_port(port.id, security_groups=[])
        self.cloud.network.delete_security_group(group.id, ignore_missing=False)

    def _hide_in_own_group(self) -> None:
        """A port into a group of the intruder's own, which Neutron makes with egress to everywhere."""
        port = self._port()
        group = self.cloud.network.create_security_group(name="helpful", project_id=self.project_id)
        self._made_groups.append(str(group.id))
        self._touch(*(str(rule["id"]) for rule in group.security_group_rules))
        self._make_rule(self._rule_body(group.id))
        self.cloud.network.update_port(port.id, security_groups=[group.id])

    def _open_default_group(self) -> None:
        default = next(each for each in self._groups() if each.name == "default")
        self._make_rule(self._rule_body(default.id))

    def _call_port_trusted(self) -> None:
        """Told, and left to people: the intruder thinks better of it at once."""
        port = self._port()
        owner = port.device_owner
        self.cloud.network.update_port(port.id, device_owner="network:helpful")
        self.cloud.network.update_port(port.id, device_owner=owner)

    def _give_floating_ip(self) -> None:
        port = self._port()
        public = self.cloud.network.find_network("public")
        made = self.cloud.network.create_ip(floating_network_id=public.id, port_id=port.id)
        self.cloud.network.delete_ip(made.id)

    def _join_router(self) -> None:
        """Another network behind the workspace's router, and away again."""
        router = next(iter(self.cloud.network.routers(project_id=self.project_id)))
        network = self.cloud.network.create_network(name="joined")
        subnet = self.cloud.network.create_subnet(
            network_id=network.id,
            cidr=f"10.99.{self.chance.randrange(250)}.0/24",
            ip_version=4,
        )
        try:
            self.cloud.network.put(f"/routers/{router.id}/add_router_interface", json={"subnet_id": subnet.id})
            self.cloud.network.put(f"/routers/{router.id}/remove_router_interface", json={"subnet_id": subnet.id})
        finally:
            self.cloud.network.delete_network(network.id)

    def tidy(self) -> bool:
        """Take the intruder's own groups away; they are told, and left to people. False while ports are in one."""
        for group_id in list(self._made_groups):
            try:
                self.cloud.network.delete_security_group(group_id)
            except ConflictException:
                return False
            self._made_groups.remove(group_id)
        return True
