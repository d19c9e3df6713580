"""The generated cloud that the isolation engine is measured on, and its groups as Neutron lists them: all seeded."""

import json
import random
from dataclasses import replace

from network_policy.cloud import reading
from network_policy.domain.compile import Policy
from network_policy.domain.filters import Claim
from network_policy.domain.rule import Direction, Remote, RemoteKind, Rule
from network_policy.domain.world import AddressPair, Group, GroupRule, Network, Port, Router, Subnet, World

ROLES = ("login", "control", "compute", "storage", "gpu", "transfer")
PORTS = (3, 2, 4, 1, 2, 1)
SITE = ("203.0.113.0/28", "192.0.2.53/32", "192.0.2.80/32", "198.51.100.0/26")
SEED = 20261121


def _rules(random_: random.Random, role: str, count: int, prefix: str, *, is_dual: bool) -> frozenset[Rule]:
    """Flows to and from the other roles, the site's services, DHCP and metadata."""
    made = {
        Rule("egress", "IPv4", 17, 67, 67, Remote(RemoteKind.PREFIX, "255.255.255.255/32")),
        Rule("egress", "IPv4", 17, 67, 67, Remote(RemoteKind.PREFIX, prefix)),
        Rule("egress", "IPv4", 6, 80, 80, Remote(RemoteKind.PREFIX, "169.254.169.254/32")),
        Rule("egress", "IPv4", 17, 53, 53, Remote(RemoteKind.PREFIX, SITE[1])),
    }
    if role == "login":
        made.add(Rule("ingress", "IPv4", 6, 22, 22, Remote(RemoteKind.PREFIX, SITE[0])))
    while len(made) < count:
        way: Direction = random_.choice(("ingress", "egress"))
        port = random_.choice((22, 111, 443, 2049, 6443, 6817, 6818, 8080, 9100))
        if random_.random() < 0.1:
            made.add(Rule("egress", "IPv4", 6, port, port, Remote(RemoteKind.PREFIX, random_.choice(SITE[1:]))))
            continue
        far = Remote(RemoteKind.ROLE, random_.choice(ROLES))
        made.add(Rule(way, "IPv6" if is_dual and random_.random() < 0.4 else "IPv4", 6, port, port, far))
    return frozenset(made)


def generated(
    workspaces: int, rules_per_group: int, *, is_full: bool = True, ports: tuple[int, ...] = PORTS, seed: int = SEED
) -> tuple[World, list[Claim]]:
    """The cloud as declared; `is_full`: with IPv6, an address pair here and there among strangers, and floating IPs."""
    random_ = random.Random(seed)
    groups: list[Group] = []
    made: list[Port] = []
    networks = [Network("ext", "public", "admin", external=True)]
    subnets: list[Subnet] = []
    routers: list[Router] = []
    claims: list[Claim] = []
    for number in range(workspaces):
        name, project, net = f"ws{number}", f"p{number}", f"net{number}"
        high, low = 16 + number // 256, number % 256
        prefix, prefix6 = f"10.{high}.{low}.0/24", f"fd00:{number:x}::/64"
        ids = {role: f"{project}-{role}" for role in ROLES}
        policy: dict[str, frozenset[Rule]] = {}
        roles: dict[str, str] = {}
        host = 10
        for role, count in zip(ROLES, ports, strict=True):
            policy[role] = _rules(random_, role, rules_per_group, prefix, is_dual=is_full)
            bound = [
                GroupRule(
                    f"{ids[role]}-{index}",
                    ids[role],
                    rule.with_remote(Remote(RemoteKind.GROUP, ids[rule.remote.value]))
                    if rule.remote.kind is RemoteKind.ROLE
                    else replace(rule),
                )
                for index, rule in enumerate(sorted(policy[role], key=Rule.key))
            ]
            groups.append(Group(ids[role], role, project, tuple(bound)))
            for index in range(count):
                port_id = f"{ids[role]}-{index}"
                own = (f"10.{high}.{low}.{host}",) + ((f"fd00:{number:x}::{host:x}",) if is_full else ())
                made.append(Port(port_id, port_id, project, net, own, "", (ids[role],), device_owner="compute:nova"))
                roles[port_id] = role
                host += 1
        networks.append(Network(net, net, project))
        subnets.append(Subnet(f"{net}-4", net, prefix))
        if is_full:
            subnets.append(Subnet(f"{net}-6", net, prefix6))
            routers.append(Router(f"r{number}", project, "ext", (f"172.{24 + number // 65536}.{high}.{low}",)))
            made.append(
                Port(f"if{number}", "", project, net, (f"10.{high}.{low}.1",),
                     device_owner="network:router_interface", device_id=f"r{number}")
            )  # fmt: skip
        claims.append(Claim(name, project, Policy(name, policy, {}), ids, roles))
    if is_full:
        strangers = Group("strangers", "web", "other", ())
        groups.append(strangers)
        networks.append(Network("other-net", "other", "other"))
        subnets.append(Subnet("other-4", "other-net", "10.200.0.0/16"))
        for index in range(20):
            pairs = (AddressPair(f"10.200.1.{index}"),)
            made.append(
                Port(f"other{index}", "", "other", "other-net", (f"10.200.0.{index + 10}",), "", ("strangers",),
                     device_owner="compute:nova", address_pairs=pairs)
            )  # fmt: skip
    return World(
        groups=tuple(groups), ports=tuple(made), networks=tuple(networks), subnets=tuple(subnets),
        routers=tuple(routers), whole=True,
    ), claims  # fmt: skip


def listed(group: Group) -> str:
    """The group as Neutron answers it: JSON."""
    rules = [
        {
            "id": each.id, "security_group_id": group.id, "direction": each.rule.direction,
            "ethertype": each.rule.ethertype, "protocol": each.rule.protocol, "port_range_min": each.rule.low,
            "port_range_max": each.rule.high,
            "remote_ip_prefix": each.rule.remote.value if each.rule.remote.kind is RemoteKind.PREFIX else None,
            "remote_group_id": each.rule.remote.value if each.rule.remote.kind is RemoteKind.GROUP else None,
        }
        for each in group.rules
    ]  # fmt: skip
    body = {"id": group.id, "name": group.name, "project_id": group.project_id, "security_group_rules": rules}
    return json.dumps(body)


def read(text: str) -> Group:
    """What the service makes of that."""
    return reading.group(json.loads(text))


def told(group: Group) -> Group:
    """The group as the service would have it of Neutron: nothing of it is an object that somebody has seen."""
    return read(listed(group))
