"""Random small worlds of two workspaces and a stranger, somewhat tampered with, for what has to hold of every world."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from network_policy.domain.rule import Remote, RemoteKind, Rule
from network_policy.domain.world import AddressGroup, AddressPair, FloatingIp, GroupRule, Port, Trunk, World
from tests.network_policy.enclaves import Enclave, document, rule, together

ONE = Enclave(document(), "p1", sizes={"login": 1, "compute": 2})
TWO = Enclave(
    document(name="genome", flows=[{"from": "site:jumphosts", "to": "login", "ports": [22]},
                                   {"from": "login", "to": "zone:clinic", "ports": [80]},
                                   {"from": "compute", "to": "self", "protocol": "icmp"}]),
    "p2", "10.43.0", sizes={"login": 1, "compute": 1},
)  # fmt: skip
STRANGER = Port("stranger", "s", "p3", "p1-net", ("10.42.0.90",), "", ("p3-group",))
PREFIXES = ("0.0.0.0/0", "203.0.113.0/28", "203.0.113.0/27", "10.42.0.0/24", "10.43.0.11/32", "10.42.0.11/32",
            "192.0.2.53/32", "198.51.100.0/24", "10.200.0.0/16", "172.24.0.0/16")  # fmt: skip
ADDRESSES = ["10.42.0.10", "10.42.0.11", "10.42.0.12", "10.42.0.90", "10.43.0.10", "10.43.0.11", "10.42.0.200",
             "10.43.0.200", "203.0.113.3", "203.0.113.20", "192.0.2.53", "198.51.100.9", "10.200.3.4", "8.8.8.8",
             "172.24.0.9", "172.24.0.50", "172.24.0.77", "169.254.169.254", "255.255.255.255", "10.42.0.255",
             "10.43.0.255", "10.42.0.1", "10.43.0.1", "224.0.0.5"]  # fmt: skip
GROUPS = ("p1-login", "p1-compute", "p1-default", "p2-login", "p2-compute", "p3-group")
NETWORKS = ("p1-net", "p2-net", "ext")
WIRES = (("geneve  5",), ("vlan physnet1 100",), ("geneve  5", "vlan physnet1 100"))
"""What networks may lie on: two of them meet on the first or the second, three may by the one that lies on both."""
PORTS = tuple(port.id for port in (*ONE.ports, *TWO.ports, STRANGER))
remotes = st.one_of(
    st.sampled_from([Remote(RemoteKind.GROUP, each) for each in (*GROUPS, "unseen")]),
    st.just(Remote(RemoteKind.ADDRESS_GROUP, "ag")),
    st.sampled_from(PREFIXES).map(lambda prefix: rule(remote_ip_prefix=prefix).remote),
)
kinds = st.sampled_from(
    [{}, {"protocol": "tcp"}, {"protocol": "tcp", "port_range_min": 22, "port_range_max": 80},
     {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}, {"protocol": "udp"}, {"protocol": "icmp"}]
)  # fmt: skip
rules = st.builds(
    lambda direction, kind, remote: rule(direction, **kind).with_remote(remote),
    st.sampled_from(["ingress", "egress"]), kinds, remotes,
)  # fmt: skip
port_changes = st.fixed_dictionaries(
    {},
    optional={
        "port_security": st.just(False),
        "group_ids": st.lists(st.sampled_from((*GROUPS, "unseen")), max_size=2, unique=True).map(lambda ids: tuple(sorted(ids))),
        "address_pairs": st.sampled_from([(AddressPair("10.42.0.200/32"),), (AddressPair("0.0.0.0/0"),)]),
        "network_id": st.sampled_from(["p1-net", "p2-net", "ext"]),
        "device_id": st.sampled_from(["vm-openhpc-login-0", "vm-genome-compute-0", "vm-of-nobody"]),
        "is_bound": st.just(False),
    },
)  # fmt: skip

SLOW = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
"""For what tries every packet of a world: an example takes long, and to shrink one takes longer than it helps."""


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Two workspaces and a stranger, with some of it tampered with."""
    world = together(ONE.world, TWO.world)
    stranger_group = replace(ONE.groups[-1], id="p3-group", project_id="p3")
    world = replace(world, ports=(*world.ports, STRANGER), groups=(*world.groups, stranger_group))
    added: list[tuple[str, Rule]] = draw(st.lists(st.tuples(st.sampled_from(GROUPS), rules), max_size=4))
    groups = {group.id: group for group in world.groups}
    for position, (group_id, each) in enumerate(added):
        group = groups[group_id]
        groups[group_id] = replace(group, rules=(*group.rules, GroupRule(f"rogue{position}", group_id, each)))
    changes: dict[str, dict[str, Any]] = draw(st.dictionaries(st.sampled_from(PORTS), port_changes, max_size=2))
    routers = world.routers
    if draw(st.booleans()):
        routers = tuple(replace(each, external_network_id=None) for each in routers[:1]) + routers[1:]
    floating = draw(st.lists(st.sampled_from(PORTS), max_size=1))
    wires: dict[str, tuple[str, ...]] = draw(
        st.dictionaries(st.sampled_from(NETWORKS), st.sampled_from(WIRES), max_size=2)
    )
    trunks = draw(st.lists(st.builds(Trunk, st.just("trunk"), st.sampled_from(["p1", "p2", "p3"]), st.sampled_from(PORTS),
                                     st.sampled_from(PORTS).map(lambda each: (each,))), max_size=1))  # fmt: skip
    physical: set[str] = draw(st.sets(st.sampled_from(NETWORKS[:2]), max_size=1))
    return replace(
        world,
        groups=tuple(groups.values()),
        ports=tuple(replace(port, **changes.get(port.id, {})) for port in world.ports),
        routers=routers,
        trunks=tuple(each for each in trunks if each.port_id not in each.subport_ids),
        networks=tuple(
            replace(each, wires=wires.get(each.id, ()), physical_network="physnet1" if each.id in physical else "")
            for each in world.networks
        ),
        floating_ips=tuple(FloatingIp(f"f-{port}", "p1", "172.24.0.50", port) for port in floating),
        address_groups=(AddressGroup("ag", "p1", draw(st.sampled_from([(), ("203.0.113.0/28",), ("8.0.0.0/8",)]))),),
    )
