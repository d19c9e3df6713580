"""Where a server goes: the least full host that is enabled, up, big enough and fits its group's policy."""

from typing import TYPE_CHECKING

from twin.core.table import Row

if TYPE_CHECKING:
    from twin.nova.service import Nova

VCPUS = 4000
"""Of each hypervisor, overcommitted (1,000 × 4), as the lab's fake driver reports."""
RAM_MIB = 799_488
DISK_GIB = 600_000


def place(nova: "Nova", server: Row, exclude: frozenset[str] = frozenset()) -> tuple[str, str] | None:
    """The host and the node, or None when no host is valid."""
    bare_metal = next((name for name in server["flavor"]["extra_specs"] if name.startswith("resources:CUSTOM_")), None)
    if bare_metal is not None and server["flavor"]["extra_specs"][bare_metal] != "0":
        wanted = bare_metal.removeprefix("resources:CUSTOM_")
        node = nova.cloud.ironic.claim(wanted, server["id"])
        return ("bm", node) if node is not None else None
    hosts = [host for host in nova.hosts if host["kind"] == "hypervisor" and host["host"] not in exclude]
    hosts = [host for host in hosts if not host["disabled"] and not host["forced_down"]]
    if server.get("forced_host"):
        hosts = [host for host in hosts if host["host"] == server["forced_host"]]
    hosts = _by_group(nova, server, hosts)
    fitting = [host for host in hosts if _fits(nova, host["host"], server)]
    if wanted_functions(nova, server):
        fitting = [host for host in fitting if _has_functions(nova, host["host"], server)]
    if not fitting:
        return None
    best = min(fitting, key=lambda host: (nova.servers.taken("claimed", host["host"]).servers, host["host"]))
    return best["host"], best["host"]


def wanted_functions(nova: "Nova", server: Row) -> int:
    """How many virtual functions the server's direct ports want."""
    ports = nova.cloud.neutron.ports.table
    given = (ports.get(wanted.port_id) for wanted in server["wanted"] if wanted.port_id is not None)
    return sum(port is not None and port["binding:vnic_type"] == "direct" for port in given)


def _has_functions(nova: "Nova", host: str, server: Row) -> bool:
    others = (other for other in nova.servers.where(claimed=host) if other["id"] != server["id"])
    taken = sum(wanted_functions(nova, other) for other in others)
    return taken + wanted_functions(nova, server) <= nova.cloud.settings.virtual_functions


def usage(nova: "Nova", host: str) -> dict[str, int]:
    """What the servers on a host take."""
    taken = nova.servers.taken("claimed", host)
    return {"VCPU": taken.vcpus, "MEMORY_MB": taken.ram_mib, "DISK_GB": taken.disk_gib}


def _fits(nova: "Nova", host: str, server: Row) -> bool:
    used = usage(nova, host)
    flavor = server["flavor"]
    return bool(
        used["VCPU"] + flavor["vcpus"] <= VCPUS
        and used["MEMORY_MB"] + flavor["ram"] <= RAM_MIB
        and used["DISK_GB"] + flavor["disk"] + flavor["ephemeral"] <= DISK_GIB
    )


def _by_group(nova: "Nova", server: Row, hosts: list[Row]) -> list[Row]:
    group = nova.server_groups.get(server["group_id"]) if server["group_id"] else None
    if group is None:
        return hosts
    members = [nova.servers.get(one) for one in group["members"] if one != server["id"]]
    taken = [member["claimed"] for member in members if member is not None and member["claimed"]]
    if group["policy"] == "anti-affinity":
        most = int(group["rules"].get("max_server_per_host", 1))
        return [host for host in hosts if taken.count(host["host"]) < most]
    if group["policy"] == "affinity" and taken:
        return [host for host in hosts if host["host"] in taken]
    return hosts
