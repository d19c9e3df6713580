"""Manila with dummy back ends for NFS and CephFS."""

from configuration.site import HOST, Site


def write(site: Site) -> None:
    """manila.conf. The CephFS back end is drivers/lab_ceph_dummy.py, since Manila's dummy refuses that protocol."""
    site.put(
        "manila/manila.conf",
        site.service("manila"),
        {
            "DEFAULT": {
                "host": "ctl",
                "my_ip": HOST,
                "osapi_share_listen": HOST,
                "auth_strategy": "keystone",
                "osapi_share_workers": 1,
                "enabled_share_backends": "labnfs,labceph",
                "enabled_share_protocols": "NFS,CIFS,CEPHFS",
                "default_share_type": "nfs",
                "api_paste_config": site.venv / "etc/manila/api-paste.ini",
                "quota_shares": -1,
                "quota_gigabytes": -1,
            },
            "labnfs": {
                "share_driver": "manila.tests.share.drivers.dummy.DummyDriver",
                "share_backend_name": "labnfs",
                "driver_handles_share_servers": "false",
            },
            "labceph": {
                "share_driver": "lab_ceph_dummy.CephDummyDriver",
                "share_backend_name": "labceph",
                "driver_handles_share_servers": "false",
            },
            "database": site.database("manila"),
            "keystone_authtoken": site.token_validation("manila"),
            "nova": site.client("nova"),
            "neutron": site.client("neutron"),
            "cinder": site.client("cinder"),
            "glance": site.client("glance"),
            "coordination": {"backend_url": f"file://{site.folder_of('manila', 'coord')}"},
        },
    )
