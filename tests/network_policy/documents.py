"""Random workspace documents that are valid at the tests' site, for what has to hold of every document."""

from typing import Any

from hypothesis import strategies as st

from contracts.documents import problems
from contracts.workspace import Workspace
from tests.network_policy.enclaves import SITE, document

ROLES = ("login", "compute", "gpu", "store")
NETWORKS: tuple[dict[str, Any], ...] = (
    {"name": "cluster", "class": "private", "cidr": "10.42.0.0/24", "segmentation": "vlan"},
    {"name": "data", "class": "private", "cidr": "10.43.0.0/28", "cidr6": "2001:db8:43::/64"},
    {"name": "quiet", "class": "private", "cidr": "10.44.0.0/29", "routed": False},
)
TRAFFIC: tuple[dict[str, Any], ...] = (
    {"ports": [22]},
    {"ports": ["1024-65535", 443]},
    {"protocol": "udp", "ports": [53]},
    {"protocol": "icmp"},
    {"protocol": "any"},
)


@st.composite
def workspaces(draw: st.DrawFn, name: str = "openhpc") -> Workspace:
    """One to four roles on one to three networks, routed or not, with and without IPv6, subports, flows of every kind."""
    roles = draw(st.lists(st.sampled_from(ROLES), min_size=1, max_size=4, unique=True))
    networks = draw(st.lists(st.sampled_from(NETWORKS), min_size=1, max_size=3, unique_by=lambda each: each["name"]))
    names = [each["name"] for each in networks]
    inside = [(source, target) for source in roles for target in (*roles, "self")]
    outwards = [(role, end) for role in roles for end in ("site:proxy", "site:dns", "zone:clinic")]
    inwards = [(end, role) for role in roles for end in ("site:jumphosts", "zone:clinic")]
    flows = draw(
        st.lists(st.tuples(st.sampled_from([*inside, *outwards, *inwards]), st.sampled_from(TRAFFIC)), max_size=6)
    )
    on = {role: draw(st.lists(st.sampled_from(names), min_size=1, unique=True)) for role in roles}
    entered = {target for (source, target), _ in flows if source == "site:jumphosts"}
    tagged = {role: [each for each in names if each not in on[role]] if draw(st.booleans()) else [] for role in roles}
    made = document(
        name=name,
        networks=networks,
        roles=[
            {
                "name": role,
                "count": draw(st.integers(0, 3)) if "quiet" not in names else draw(st.integers(0, 1)),
                "flavor": "tre.small",
                "image": "tiny",
                "hardware": "vm" if tagged[role] else draw(st.sampled_from(["vm", "baremetal"])),
                "networks": on[role],
                "subports": [{"network": each, "vlan": 100 + number} for number, each in enumerate(tagged[role])],
                "stateless": role not in entered and draw(st.booleans()),
            }
            for role in roles
        ],
        flows=[{"from": source, "to": target, **traffic} for (source, target), traffic in flows],
        storage={},
    )
    site = SITE.model_copy(update={"vlan_physical_network": "physnet1"})
    wrong = [each for each in problems(made, site) if "do not fit" not in each.reason]
    assert not wrong, wrong
    return made
