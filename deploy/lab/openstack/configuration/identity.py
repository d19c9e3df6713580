"""Keystone."""

from configuration.site import Site


def write(site: Site) -> None:
    """keystone.conf; the bcrypt cost is the lowest there is, since the suites log in hundreds of times."""
    keys = site.state / "keystone"
    site.put(
        "keystone/keystone.conf",
        site.service("keystone"),
        {
            "DEFAULT": {
                "notification_format": site.keystone_notifications,
                "insecure_debug": "true",
                # No event type is left out: identity.authenticate is told too.
                "notification_opt_out": "",
            },
            "database": site.database("keystone"),
            "token": {"provider": "fernet", "expiration": 86400},
            "fernet_tokens": {"key_repository": keys / "fernet"},
            "credential": {"key_repository": keys / "credential"},
            "identity": {"password_hash_rounds": 4},
        },
    )
