"""Ports that only administrators and a project's own servers should reach, and sets of packets in words."""

from network_policy.domain.hygiene.shape import ALL_KINDS
from network_policy.domain.intervals import Interval, Intervals, intersect, meets, normalise
from network_policy.domain.rule import ICMP, ICMPV6, PORT_PROTOCOLS, TCP, UDP, protocol_name

ADMIN_SERVICES: tuple[tuple[str, int, int, int], ...] = (
    ("SSH", TCP, 22, 22),
    ("telnet", TCP, 23, 23),
    ("portmapper", TCP, 111, 111),
    ("SMB", TCP, 445, 445),
    ("Microsoft SQL Server", TCP, 1433, 1433),
    ("Oracle", TCP, 1521, 1521),
    ("NFS", TCP, 2049, 2049),
    ("Docker", TCP, 2375, 2376),
    ("etcd", TCP, 2379, 2380),
    ("MySQL", TCP, 3306, 3306),
    ("RDP", TCP, 3389, 3389),
    ("RDP over UDP", UDP, 3389, 3389),
    ("PostgreSQL", TCP, 5432, 5432),
    ("AMQP", TCP, 5671, 5672),
    ("VNC", TCP, 5900, 5910),
    ("WinRM", TCP, 5985, 5986),
    ("Redis", TCP, 6379, 6379),
    ("Kubernetes' API", TCP, 6443, 6443),
    ("Slurm", TCP, 6817, 6819),
    ("Elasticsearch", TCP, 9200, 9200),
    ("kubelet", TCP, 10250, 10250),
    ("memcached", TCP, 11211, 11211),
    ("memcached over UDP", UDP, 11211, 11211),
    ("MongoDB", TCP, 27017, 27017),
    ("IPMI", UDP, 623, 623),
)
"""Name, protocol, first and last port (IANA's service names register, and the products' manuals)."""
MAX_NAMED = 6


def _kinds(protocol: int, low: int, high: int) -> Interval:
    return protocol * 65536 + low, protocol * 65536 + high


ADMIN: Intervals = normalise(_kinds(protocol, low, high) for _, protocol, low, high in ADMIN_SERVICES)


def admin_services(kinds: Intervals) -> list[str]:
    """The names of those that are among the kinds of packet."""
    found = [name for name, *span in ADMIN_SERVICES if meets(kinds, (_kinds(*span),))]
    if len(found) == len(ADMIN_SERVICES):
        return ["every one of them"]
    return [*found[:MAX_NAMED], *([f"{len(found) - MAX_NAMED} more"] if len(found) > MAX_NAMED else [])]


def kinds_in_words(kinds: Intervals) -> str:
    """`tcp 22, 80-90, icmp`, for people; long ones cut short."""
    if not kinds:
        return "nothing"
    if kinds == (ALL_KINDS,):
        return "every protocol"
    words: list[str] = []
    numbers = sorted({each for low, high in kinds for each in (low >> 16, high >> 16)})
    for low, high in kinds:
        if (high >> 16) - (low >> 16) > 1:
            words.append(f"protocols {(low >> 16) + 1} to {(high >> 16) - 1}")
    for number in numbers:
        first = number << 16
        pieces = intersect(kinds, ((first, first + 0xFFFF),))
        if pieces == ((first, first + 0xFFFF),):
            words.append(protocol_name(number))
        elif number in PORT_PROTOCOLS:
            ports = [
                f"{max(low - first, 1)}" if low == high else f"{max(low - first, 1)}-{high - first}"
                for low, high in pieces
            ]
            more = f" and {len(ports) - MAX_NAMED} more" if len(ports) > MAX_NAMED else ""
            words.append(f"{protocol_name(number)} {', '.join(ports[:MAX_NAMED])}{more}")
        elif number in (ICMP, ICMPV6):
            types = sorted({each >> 8 & 0xFF for low, high in pieces for each in (low, high)})
            words.append(f"{protocol_name(number)} types {', '.join(map(str, types[:MAX_NAMED]))}")
    return "; ".join(words[:MAX_NAMED]) + (" and more" if len(words) > MAX_NAMED else "")
