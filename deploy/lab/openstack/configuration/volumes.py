"""Cinder with its own fake driver: volumes have states and no data."""

from configuration.site import HOST, Site


def write(site: Site) -> None:
    """cinder.conf."""
    site.put(
        "cinder/cinder.conf",
        site.service("cinder"),
        {
            "DEFAULT": {
                "host": "ctl",
                "my_ip": HOST,
                "osapi_volume_listen": HOST,
                "auth_strategy": "keystone",
                "enabled_backends": "lab",
                "default_volume_type": "lab",
                "osapi_volume_workers": 1,
                "glance_api_servers": f"http://{HOST}:{site.ports['glance']}",
                "api_paste_config": site.venv / "etc/cinder/api-paste.ini",
                "resource_query_filters_file": site.venv / "etc/cinder/resource_filters.json",
                "quota_volumes": -1,
                "quota_gigabytes": -1,
                "quota_snapshots": -1,
                "per_volume_size_limit": -1,
            },
            "lab": {
                "volume_driver": "cinder.tests.fake_driver.FakeLoggingVolumeDriver",
                "volume_backend_name": "lab",
            },
            "database": site.database("cinder"),
            "keystone_authtoken": site.token_validation("cinder"),
            "service_user": {**site.client("cinder"), "send_service_user_token": "true"},
            "nova": site.client("nova"),
            "coordination": {"backend_url": f"file://{site.folder_of('cinder', 'coord')}"},
        },
    )
