"""Small enclaves for the domain's tests: a document, a site, and the cloud as it should then look."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from contracts.examples import DOCUMENT
from contracts.site import Site
from contracts.workspace import Workspace
from network_policy.domain.compile import Policy, compile_policy
from network_policy.domain.filters import Claim
from network_policy.domain.names import group_name
from network_policy.domain.plan import bind
from network_policy.domain.prospect import together
from network_policy.domain.rule import Rule, read_rule
from network_policy.domain.world import Group, GroupRule, Network, Port, Router, Subnet, World

__all__ = ["ROUTED", "SITE", "Enclave", "document", "rule", "together", "with_port", "with_rule"]

SITE = Site.model_validate(
    {
        "name": "test",
        "endpoints": {
            "jumphosts": {"prefixes": ["203.0.113.0/28"]},
            "dns": {
                "prefixes": ["192.0.2.53/32"],
                "always": [{"protocol": "udp", "ports": [53]}, {"protocol": "tcp", "ports": [53]}],
            },
            "proxy": {"prefixes": ["192.0.2.80/32", "2001:db8:1::80/128"]},
        },
        "zones": {"clinic": {"prefixes": ["10.200.0.0/16"]}},
        "zone_matrix": [{"from": "workspaces", "to": "clinic"}, {"from": "clinic", "to": "workspaces"}],
    }
)
ROUTED = SITE.model_copy(update={"external_network": "public"})
"""The same site with a way out."""


def document(**changes: Any) -> Workspace:
    """The example document with some fields changed."""
    return Workspace.model_validate({**DOCUMENT, **changes})


def rule(direction: str = "ingress", ethertype: str = "IPv4", **fields: Any) -> Rule:
    """A rule from Neutron's fields."""
    return read_rule(direction=direction, ethertype=ethertype, **fields)


class Enclave:
    """A workspace in the cloud as it should look once its policy is enforced."""

    def __init__(
        self, made: Workspace, project: str, prefix: str = "10.42.0", sizes: dict[str, int] | None = None
    ) -> None:
        self.name = made.name
        self.project = project
        self.policy: Policy = compile_policy(made, SITE)
        self.ids = {role: f"{project}-{role}" for role in self.policy.roles}
        self.network = f"{project}-net"
        self.prefix = prefix
        self.sizes = sizes or {role.name: role.count for role in made.roles}

    def group(self, role: str, extra: Iterable[GroupRule] = ()) -> Group:
        rules = sorted(self.policy.roles[role], key=Rule.key)
        made = [
            GroupRule(f"{self.ids[role]}-{n}", self.ids[role], bind(each, self.ids)) for n, each in enumerate(rules)
        ]
        return Group(self.ids[role], group_name(self.name, role), self.project, (*made, *extra))

    @property
    def groups(self) -> tuple[Group, ...]:
        default = Group(f"{self.project}-default", "default", self.project)
        return (*(self.group(role) for role in self.policy.roles), default)

    @property
    def ports(self) -> tuple[Port, ...]:
        made: list[Port] = []
        for role, size in self.sizes.items():
            for n in range(size):
                address = f"{self.prefix}.{10 + len(made)}"
                name = f"{self.name}-{role}-{n}"
                made.append(
                    Port(f"{self.project}-{role}-port{n}", name, self.project, self.network, (address,), "",
                         (self.ids[role],), device_owner="compute:nova", device_id=f"vm-{name}")
                )  # fmt: skip
        return tuple(made)

    @property
    def claim(self) -> Claim:
        roles = {port.id: port.name.removeprefix(f"{self.name}-").rsplit("-", 1)[0] for port in self.ports}
        servers = frozenset(port.device_id for port in self.ports)
        return Claim(self.name, self.project, self.policy, self.ids, roles, servers)

    @property
    def world(self) -> World:
        router = Router(f"{self.project}-router", self.project, "ext", ("172.24.0.9",))
        interface = Port(
            f"{self.project}-if", "", self.project, self.network, (f"{self.prefix}.1",),
            device_owner="network:router_interface", device_id=router.id,
        )  # fmt: skip
        return World(
            groups=self.groups,
            ports=(*self.ports, interface),
            networks=(Network(self.network, "n", self.project), Network("ext", "public", "admin", external=True)),
            subnets=(Subnet(f"{self.project}-subnet", self.network, f"{self.prefix}.0/24"),),
            routers=(router,),
            whole=True,
        )


def with_rule(world: World, group_id: str, rule_id: str, made: Rule) -> World:
    """The world with one more rule in a group."""
    groups = tuple(
        replace(group, rules=(*group.rules, GroupRule(rule_id, group_id, made))) if group.id == group_id else group
        for group in world.groups
    )
    return replace(world, groups=groups)


def with_port(world: World, port_id: str, **changes: Any) -> World:
    """The world with one port changed."""
    ports = tuple(replace(port, **changes) if port.id == port_id else port for port in world.ports)
    return replace(world, ports=ports)
