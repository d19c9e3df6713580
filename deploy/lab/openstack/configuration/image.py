"""Glance, with images as files."""

from configuration.site import HOST, Site


def write(site: Site) -> None:
    """glance-api.conf."""
    service = site.service("glance")
    # Glance knows no state_path and refuses to start with one.
    del service["DEFAULT"]["state_path"]
    site.put(
        "glance/glance-api.conf",
        service,
        {
            "DEFAULT": {
                "enabled_backends": "lab:file",
                "bind_host": HOST,
                "bind_port": site.ports["glance"],
                "workers": 1,
            },
            "database": site.database("glance"),
            "glance_store": {"default_backend": "lab"},
            "lab": {"filesystem_store_datadir": site.folder_of("glance", "images")},
            "os_glance_staging_store": {"filesystem_store_datadir": site.folder_of("glance", "staging")},
            "os_glance_tasks_store": {"filesystem_store_datadir": site.folder_of("glance", "tasks")},
            "keystone_authtoken": site.token_validation("glance"),
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": site.venv / "etc/glance/glance-api-paste.ini",
            },
        },
    )
