"""Ports that escape their groups, or deceive others."""

from collections.abc import Iterator
from ipaddress import ip_network

from contracts.network_policy import DuplicatePort
from network_policy.domain.audit.finding import Found, Severity, register
from network_policy.domain.audit.inventory import Part, PortFacts
from network_policy.domain.audit.subject import Subject
from network_policy.domain.duplicates import duplicate, same_macs
from network_policy.domain.world import Port

NARROWEST_IPV4 = 28
NARROWEST_IPV6 = 124
"""An address pair of more than 16 addresses is no pair of a failover any more."""


def _found(subject: Subject, port: Port, what: str, *mend: str, severity: Severity | None = None) -> Found:
    return Found(port.id, subject.where(port.project_id, "port", port.name, port.id), what, mend, severity)


@register.kind(
    "port-unfiltered",
    Severity.HIGH,
    "Nothing filters a port",
    rows="L5",
    why="With port security off Neutron applies no group to the port and lets it send from any address: groups, also "
    "other projects', can't hold it.",
    runbook=(
        "Ask the owner what it is for: routers and load balancers made by hand are the usual reason.",
        "An address pair for just the addresses that it forwards mostly serves as well.",
        "Turn port security on, with the groups that the service needs.",
    ),
    needs={Part.PORTS, Part.ROUTERS, Part.NETWORKS},
)
def port_unfiltered(subject: Subject) -> Iterator[Found]:
    """By port that is not Neutron's own."""
    for port in subject.tenant_ports:
        if not port.port_security and not port.is_trusted:
            addresses = ", ".join(port.addresses) or "no address"
            mend = f"openstack port set --enable-port-security --security-group GROUP {port.id}"
            used = None if port.device_id else Severity.MEDIUM
            yield _found(subject, port, f"port security is off ({addresses})", mend, severity=used)


@register.kind(
    "port-trusted-owner",
    Severity.CRITICAL,
    "A port passes for one of Neutron's own",
    rows="CVE-2015-5240 CVE-2026-50266",
    why="Neutron filters no port whose device owner begins with `network:`. A port that says so without a router, DHCP "
    "agent or address behind it has no filter and no anti-spoofing; whoever may set the owner got past both.",
    runbook=(
        "Who made it, and when? `openstack port show` tells the time; Keystone's and Neutron's logs the user.",
        "Take it down at once: no service of Neutron's depends on it.",
        "Give it back its owner (`compute:nova`) or delete it; look for the role and policy that let it be set.",
    ),
    needs={Part.PORTS, Part.ROUTERS, Part.NETWORKS},
)
def port_trusted_owner(subject: Subject) -> Iterator[Found]:
    """By port whose device is not what it says."""
    servers = {server.id for server in subject.inventory.servers}
    for port in subject.tenant_ports:
        if port.is_trusted:
            facts = subject.inventory.port_facts.get(port.id)
            on_host = bool(facts and facts.host)
            whose = "a server's port" if port.device_id in servers else f"device '{port.device_id or 'none'}'"
            yield _found(
                subject,
                port,
                f"says that it is {port.device_owner}; {whose}",
                f"openstack port set --disable {port.id}",
                severity=None if on_host or port.device_id in servers else Severity.HIGH,
            )


@register.kind(
    "address-pair-anywhere",
    Severity.HIGH,
    "A port may use every address there is",
    rows="L5",
    why="An allowed address pair of 0.0.0.0/0 or ::/0 turns anti-spoofing off, and makes the port a member with every "
    "address: rules of other groups that name its group admit the whole world by it.",
    runbook=(
        "Ask the owner which addresses the port really forwards for.",
        "Set just those: `openstack port set --no-allowed-address --allowed-address ip-address=ADDRESS PORT`.",
    ),
    needs={Part.PORTS},
)
def address_pair_anywhere(subject: Subject) -> Iterator[Found]:
    """By port."""
    for port in subject.inventory.world.ports:
        wide = [pair.prefix for pair in port.address_pairs if _length(pair.prefix)[0] == 0]
        if wide:
            mend = f"openstack port set --no-allowed-address {port.id}"
            yield _found(subject, port, f"address pair {', '.join(wide)}", mend)


@register.kind(
    "address-pair-wide",
    Severity.MEDIUM,
    "A port may use many addresses that are not its own",
    rows="L5",
    why="Each address of an allowed address pair is one that the port may send from, and take over from a neighbour.",
    runbook=("As for address-pair-anywhere: narrow it to the addresses that are needed.",),
    needs={Part.PORTS},
)
def address_pair_wide(subject: Subject) -> Iterator[Found]:
    """By port."""
    for port in subject.inventory.world.ports:
        wide = []
        for pair in port.address_pairs:
            length, version = _length(pair.prefix)
            if 0 < length < (NARROWEST_IPV4 if version == 4 else NARROWEST_IPV6):
                wide.append(pair.prefix)
        if wide:
            mend = f"openstack port set --no-allowed-address {port.id}"
            yield _found(subject, port, f"address pair {', '.join(wide)}", mend)


def _length(prefix: str) -> tuple[int, int]:
    """Length and version; the widest for what is no prefix."""
    try:
        network = ip_network(prefix, strict=False)
    except ValueError:
        return 0, 4
    return network.prefixlen, network.version


@register.kind(
    "port-dhcp-options",
    Severity.HIGH,
    "A port has DHCP options of its own",
    rows="CVE-2021-40085",
    why="Options with a line break in their value were written into dnsmasq's configuration as they stood: a user could "
    "reconfigure the DHCP server of the network. Few tenants need such options at all.",
    runbook=(
        "Read the options: a line break, `dhcp-script` or a strange boot server is an attack.",
        "Bare metal needs boot options on its own network; elsewhere take them away: an option without a value goes.",
        "Neutron 16.4.1, 17.2.1, 18.1.1 and later refuse such values.",
    ),
    needs={Part.PORTS},
)
def port_dhcp_options(subject: Subject) -> Iterator[Found]:
    """By port."""
    for port in subject.inventory.world.ports:
        if port.dhcp_options:
            broken = any("\n" in option for option in port.dhcp_options)
            words = ", ".join(option.replace("\n", "\\n") for option in port.dhcp_options)[:200]
            severity = Severity.CRITICAL if broken else Severity.LOW if port.is_baremetal else None
            mend = f"openstack port set --extra-dhcp-option name=NAME {port.id}"
            yield _found(subject, port, words, mend, severity=severity)


@register.kind(
    "port-direct",
    Severity.MEDIUM,
    "A port goes past the host's filter",
    rows="C4",
    why="Ports of type direct, macvtap or baremetal go from the guest straight to the card or the wire. Whether groups "
    "hold there is the card's and the switch's matter; Neutron can't tell.",
    runbook=(
        "Does the card or fabric enforce groups (OVN hardware offload, switch ACLs)? Then note it.",
        "Otherwise treat the network as unfiltered: its own VLAN, nobody else on it.",
    ),
    needs={Part.PORTS},
)
def port_direct(subject: Subject) -> Iterator[Found]:
    """By port."""
    for port in subject.inventory.world.ports:
        if port.vnic_type != "normal":
            network = subject.networks.get(port.network_id)
            name = network.name if network else port.network_id
            yield _found(subject, port, f"type {port.vnic_type} on network {name}")


@register.kind(
    "trunk",
    Severity.INFORMATIONAL,
    "A server joins networks by a trunk",
    rows="C11",
    why="A server with a trunk is on each subport's network and may forward between them, past every router. Each "
    "subport has groups of its own: they count as much as the parent's.",
    runbook=("Look at the subports' groups. A subport without port security is a finding of its own.",),
    needs={Part.TRUNKS, Part.PORTS},
)
def trunk(subject: Subject) -> Iterator[Found]:
    """By trunk; low where a subport is another project's or lies on a network of another one."""
    for one in subject.inventory.world.trunks:
        subports = [subject.ports[each] for each in one.subport_ids if each in subject.ports]
        networks = [subject.networks[port.network_id] for port in subports if port.network_id in subject.networks]
        strange = [network.name for network in networks if network.project_id not in (one.project_id, "")]
        words = f"{len(one.subport_ids)} subports" + (f", on others' networks {', '.join(strange)}" if strange else "")
        yield Found(
            one.id,
            subject.where(one.project_id, "trunk", one.id, one.id),
            words,
            (f"openstack network trunk show {one.id}",),
            Severity.LOW if strange else None,
            also=(one.port_id, *one.subport_ids),
        )


@register.kind(
    "duplicate-mac",
    Severity.HIGH,
    "Two ports have one MAC address",
    rows="L7 L8",
    why="Neutron keeps MAC addresses apart within a network only. Where two networks meet on one wire or chassis, the "
    "switch learns the address now here, now there, and a VM can't be reached.",
    runbook=(
        "Which one is spurious? The one without a live device: DOWN, unbound, its server gone.",
        "Delete that one, then see that the other answers.",
    ),
    needs={Part.PORTS, Part.ROUTERS, Part.NETWORKS},
)
def duplicate_mac(subject: Subject) -> Iterator[Found]:
    """By address; what Neutron's own ports share on purpose, as distributed routers do, is left out."""
    ports = subject.tenant_ports
    for mac, sayers in same_macs(ports).items():
        told = duplicate(mac, (_sayer(subject, subject.ports[port_id], said) for port_id, said in sayers.items()))
        if told is None:
            continue
        first = subject.ports[told.ports[0].port_id]
        on_hosts = f"; bound on {', '.join(told.hosts)}" if told.hosts else ""
        why = "".join(f"; {one.port_id} is spurious: {', '.join(one.reasons)}" for one in told.spurious)
        yield Found(
            first.id,
            subject.where(first.project_id, "address", mac, mac),
            f"on ports {', '.join(each.port_id for each in told.ports)}{on_hosts}{why}",
            tuple(f"openstack port delete {one.port_id}" for one in told.spurious),
            None if told.kind == "flapping" else Severity.MEDIUM,
            also=tuple(each.port_id for each in told.ports),
        )


def _sayer(subject: Subject, port: Port, said: str) -> DuplicatePort:
    facts = subject.inventory.port_facts.get(port.id, PortFacts())
    return DuplicatePort(
        port_id=port.id,
        network_id=port.network_id,
        says="own" if said == "own" else "address-pair",
        device_owner=port.device_owner[:255],
        device_id=port.device_id[:255],
        has_device=_has_device(subject, port),
        host=facts.host[:255],
        is_bound=facts.is_bound,
        status=facts.status[:40],
        created_at=facts.created_at[:40],
    )


def _has_device(subject: Subject, port: Port) -> bool | None:
    """Whether the port's server is there; None where that can't be told from what was read."""
    if not port.device_id:
        return False
    if port.device_owner and not port.device_owner.startswith("compute:"):
        return None
    if Part.SERVERS in subject.inventory.unread or not subject.inventory.is_whole:
        return None
    return any(server.id == port.device_id for server in subject.inventory.servers)
