"""Placement: the one service with no place on the bus."""

from configuration.site import Site


def write(site: Site) -> None:
    """placement.conf."""
    site.put(
        "placement/placement.conf",
        {
            "DEFAULT": {"debug": site.debug, "use_stderr": "true"},
            "placement_database": {"connection": site.database_url("placement")},
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": site.token_validation("placement"),
            "oslo_policy": {"enforce_scope": "true", "enforce_new_defaults": "true"},
            "oslo_concurrency": {"lock_path": site.folder_of("placement", "lock")},
        },
    )
