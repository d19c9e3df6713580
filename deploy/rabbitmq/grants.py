"""Who may do what on the broker: the one place the deployment's definitions are made from.

RabbitMQ checks a regular expression per user, vhost and operation on the name of the queue or exchange, and, on a topic
exchange that has topic permissions, a second one on the routing key (for `read`: the key of a binding). A topic exchange
without topic permissions for a user is open to that user, so every user has an entry for every topic exchange.
Source: RabbitMQ's guide on access control, authorisation and topic authorisation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

VHOST: Final = "tresor"
"""Tresor's own exchanges and queues."""
OPENSTACK_VHOST: Final = "openstack"
"""OpenStack's vhost, where a demo, a test or a small site keeps both on one broker."""

SERVICES: Final = ("provisioner", "network-policy", "storage", "burst-scheduler", "security-monitor")
OPERATOR: Final = "operator"
"""The user of the command line."""
SCHEDULER: Final = "scheduler"
"""The user of a batch system's hooks: it publishes commands about nodes, and reads nothing."""
USERS: Final = (*SERVICES, OPERATOR, SCHEDULER)

COMMANDS: Final = "tresor.commands"
EVENTS: Final = "tresor.events"
QUERIES: Final = "tresor.queries"
TOPIC_EXCHANGES: Final = (COMMANDS, EVENTS, QUERIES)
OPENSTACK_EXCHANGES: Final = (
    "nova", "neutron", "keystone", "openstack", "cinder", "manila", "glance", "ironic",
    "placement", "swift", "barbican", "octavia", "designate", "heat", "magnum",
)  # fmt: skip
"""Exchanges of OpenStack's services that notifications are read from."""

NOTHING: Final = "^$"
"""Matches no resource: every queue and exchange has a name."""
NO_KEY: Final = "(?!)"
"""Matches no routing key, the empty one included."""
ANY: Final = ".*"

_NOTIFICATION_KEYS: Final = r"^((ironic_)?(versioned_)?notifications|tresor)\."
"""Keys of notifications. The same exchanges carry OpenStack's RPC, whose messages hold tokens: those keys stay closed."""


@dataclass(frozen=True)
class Permission:
    """What a user may configure, write and read in a vhost; each a regular expression on names."""

    user: str
    vhost: str
    configure: str
    write: str
    read: str


@dataclass(frozen=True)
class TopicPermission:
    """With which routing keys a user may publish to a topic exchange and bind queues to it."""

    user: str
    vhost: str
    exchange: str
    write: str
    read: str


def permissions(vhost: str = VHOST, openstack_vhost: str = OPENSTACK_VHOST) -> Iterator[Permission]:
    """Every user's rights on queues and exchanges."""
    exchanges = _any_of(TOPIC_EXCHANGES)
    for service in SERVICES:
        own = rf"tresor\.{service}\..+"
        # amq.default is the default exchange's name in a permission: answers to queries go through it.
        publishes = _any_of((COMMANDS, EVENTS, "amq.default"))
        yield Permission(
            service,
            vhost,
            # A wiped broker heals by every service declaring the exchanges again.
            configure=f"^({own}|{exchanges})$",
            write=f"^({own}|{publishes})$",
            read=f"^({own}|{exchanges})$",
        )
        yield Permission(
            service,
            openstack_vhost,
            configure=f"^{own}$",
            write=f"^{own}$",
            read=f"^({own}|{_any_of(OPENSTACK_EXCHANGES)})$",
        )
    own = rf"tresor\.{OPERATOR}\..+"
    yield Permission(
        OPERATOR,
        vhost,
        configure=f"^{own}$",
        write=f"^({own}|{_any_of((COMMANDS, QUERIES))})$",
        read=f"^({own}|{_any_of((EVENTS,))})$",
    )
    yield Permission(SCHEDULER, vhost, configure=NOTHING, write=f"^({_any_of((COMMANDS,))})$", read=NOTHING)


def topic_permissions(vhost: str = VHOST, openstack_vhost: str = OPENSTACK_VHOST) -> Iterator[TopicPermission]:
    """Every user's rights on routing keys."""
    anyone = rf"^({_any_of(SERVICES)})\..+"
    for service in SERVICES:
        own = rf"^{service}\..+"
        yield TopicPermission(service, vhost, COMMANDS, write=anyone, read=own)
        yield TopicPermission(service, vhost, EVENTS, write=own, read=ANY)
        yield TopicPermission(service, vhost, QUERIES, write=NO_KEY, read=own)
        for exchange in OPENSTACK_EXCHANGES:
            yield TopicPermission(service, openstack_vhost, exchange, write=NO_KEY, read=_NOTIFICATION_KEYS)
    yield TopicPermission(OPERATOR, vhost, COMMANDS, write=anyone, read=NO_KEY)
    yield TopicPermission(OPERATOR, vhost, EVENTS, write=NO_KEY, read=ANY)
    yield TopicPermission(OPERATOR, vhost, QUERIES, write=anyone, read=NO_KEY)
    yield TopicPermission(SCHEDULER, vhost, COMMANDS, write=r"^burst-scheduler\.nodes\..+", read=NO_KEY)
    for exchange in (EVENTS, QUERIES):
        yield TopicPermission(SCHEDULER, vhost, exchange, write=NO_KEY, read=NO_KEY)


def _any_of(names: tuple[str, ...]) -> str:
    return "|".join(name.replace(".", r"\.") for name in names)
