"""The project's upper bounds on nodes and wires: what the document needs and no more, or what its `quotas` section says."""

from collections.abc import Mapping

from contracts.envelope import Problem
from contracts.workspace import Workspace
from provisioner.domain import names
from provisioner.domain.catalog import Catalog

SPARE_PORTS = 8
"""For what Neutron makes by itself: DHCP, metadata, router interfaces; a few networks' worth."""
SPARE_GROUPS = 4
"""The default group, and groups that stand beside their successors while a policy changes."""
RULES_PER_FLOW = 64
"""Room for network-policy to compile a flow (endpoints' prefixes × port ranges × both ends) without hitting a limit."""
MIN_RULES = 512


SERVICES = ("compute", "network")
"""Whose limits the provisioner sets. Those of volumes and shares are storage's: it knows what has not gone yet."""


def limits(document: Workspace, catalog: Catalog) -> Mapping[str, Mapping[str, int]]:
    """The limits of each of SERVICES that the document needs."""
    nodes, cores, ram_mib = _compute_needs(document, catalog)
    asked = document.quotas
    networks = len(document.networks)
    ports = sum(1 for _ in names.ports(document)) + (networks + 1) * SPARE_PORTS
    if document.burst is not None and (burst := document.role(document.burst.role)) is not None:
        ports += document.burst.max_nodes * len(burst.all_networks)
    return {
        "compute": {
            "instances": _or(asked.instances, nodes),
            "cores": _or(asked.cores, cores),
            "ram": _or(None if asked.ram_gib is None else asked.ram_gib * 1024, ram_mib),
        },
        "network": {
            "network": networks,
            "subnet": 2 * networks,
            "router": 1,
            "port": ports,
            "security_group": 2 * len(document.roles) + SPARE_GROUPS,
            "security_group_rule": max(MIN_RULES, RULES_PER_FLOW * len(document.flows)),
        },
    }


def problems(document: Workspace, catalog: Catalog) -> list[Problem]:
    """Where the document's own bounds are too small for its content; needs the flavors' sizes."""
    _, cores, ram_mib = _compute_needs(document, catalog)
    asked = document.quotas
    found = []
    for field, bound, need, unit in (
        ("cores", asked.cores, cores, "cores"),
        ("ram_gib", asked.ram_gib, -(-ram_mib // 1024), "GiB of memory"),
    ):
        if bound is not None and bound < need:
            found.append(
                Problem(
                    field=f"quotas.{field}",
                    reason=f"the nodes need {need} {unit}, the quota is {bound}",
                    remedy=f"raise it to at least {need}, take smaller flavors or fewer nodes",
                )
            )
    return found


def _or(asked: int | None, needed: int) -> int:
    return needed if asked is None else asked


def _compute_needs(document: Workspace, catalog: Catalog) -> tuple[int, int, int]:
    """Instances, cores and MiB of memory, a burst pool at its fullest included."""
    nodes = cores = ram_mib = 0
    for role in document.roles:
        count = role.count
        if document.burst is not None and document.burst.role == role.name:
            count += document.burst.max_nodes
        flavor = catalog.flavor(role.flavor)
        nodes += count
        if flavor is not None:
            cores += count * flavor.cores
            ram_mib += count * flavor.ram_mib
    return nodes, cores, ram_mib
