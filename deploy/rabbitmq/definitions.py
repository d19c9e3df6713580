"""RabbitMQ's definitions file: users with salted password hashes, vhosts and grants. No password is in it."""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from rabbitmq.grants import OPENSTACK_VHOST, OPERATOR, USERS, VHOST, permissions, topic_permissions

ADMINISTRATOR: Final = "tresor-admin"
"""Made for the deployment alone: makes vhosts and users. No service knows its password."""


def password_hash(password: str, salt: bytes | None = None) -> str:
    """RabbitMQ's `rabbit_password_hashing_sha256`: base64 of four octets of salt and SHA-256 of salt and password."""
    salt = os.urandom(4) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def vhost_definitions(vhost: str = VHOST, openstack_vhost: str = OPENSTACK_VHOST) -> dict[str, Any]:
    """The two vhosts and everybody's grants in them; the administrator may do everything in both."""
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    return {
        "vhosts": [{"name": vhost}, {"name": openstack_vhost}],
        "permissions": [
            *({"user": ADMINISTRATOR, "vhost": name, **everything} for name in (vhost, openstack_vhost)),
            *(asdict(permission) for permission in permissions(vhost, openstack_vhost)),
        ],
        "topic_permissions": [asdict(permission) for permission in topic_permissions(vhost, openstack_vhost)],
    }


def definitions(passwords: Mapping[str, str]) -> dict[str, Any]:
    """All of a fresh broker: `guest` is not made when a broker starts with these.

    `passwords` has one for every user and for the administrator; raises KeyError otherwise.
    """
    tags = {ADMINISTRATOR: ["administrator"], OPERATOR: ["monitoring"]}
    users = [
        {
            "name": user,
            "password_hash": password_hash(passwords[user]),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": tags.get(user, []),
        }
        for user in (ADMINISTRATOR, *USERS)
    ]
    return {
        "users": users,
        **vhost_definitions(),
        "parameters": [],
        "policies": [],
        "queues": [],
        "exchanges": [],
        "bindings": [],
    }
