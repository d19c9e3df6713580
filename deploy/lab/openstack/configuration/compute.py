"""Nova: API, conductors and scheduler, the cell, the fake hypervisors and the bare-metal compute service."""

from configuration.site import HOST, OWN_TOPIC, Sections, Site


def nova(site: Site, *, cell: bool) -> Sections:
    """What all of Nova's processes share; those of the cell do their RPC in the cell's vhost."""
    sections = site.service("nova", site.vhost_cell if cell else site.vhost)
    sections["DEFAULT"] |= {
        "my_ip": HOST,
        "osapi_compute_listen": HOST,
        "enabled_apis": "osapi_compute",
        "host": "ctl",
        "rpc_response_timeout": 120,
        "instance_usage_audit": "true",
        "instance_usage_audit_period": "hour",
        "service_down_time": 60,
        "report_interval": 10,
        "sync_power_state_interval": 600,
        "max_concurrent_builds": 10,
    }
    sections |= {
        "notifications": {
            "notification_format": "both",
            "notify_on_state_change": "vm_and_task_state",
            "versioned_notifications_topics": f"versioned_notifications,{OWN_TOPIC}",
            "bdms_in_notifications": "true",
            "include_share_mapping": "true",
        },
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": site.venv / "etc/nova/api-paste.ini"},
        "keystone_authtoken": site.token_validation("nova"),
        "service_user": {**site.client("nova"), "send_service_user_token": "true"},
        "placement": site.client("placement"),
        "neutron": site.client("neutron"),
        "cinder": {**site.client("cinder"), "catalog_info": "block-storage::publicURL"},
        "glance": {**site.client("glance"), "num_retries": 2},
        "manila": site.client("manila"),
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 30},
        "filter_scheduler": {
            "enabled_filters": "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,"
            "ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter",
            "track_instance_changes": "false",
        },
        "vnc": {"enabled": "false"},
        "quota": {"instances": 5000, "cores": 100_000, "ram": 100_000_000, "server_groups": 1000},
    }
    return sections


def databases(site: Site, own: str) -> Sections:
    """The API's database and the cell's own one; compute services have neither."""
    return {"api_database": site.database("nova_api"), "database": site.database(own)}


def compute_service(site: Site, host: str, driver: str) -> Sections:
    """A nova-compute with state of its own, under the driver given."""
    sections = nova(site, cell=True)
    sections["DEFAULT"] |= {
        "host": host,
        "compute_driver": driver,
        "state_path": site.folder_of(f"nova-{host}"),
        "instances_path": site.folder_of(f"nova-{host}", "instances"),
    }
    sections["oslo_concurrency"]["lock_path"] = site.folder_of(f"nova-{host}", "lock")
    return sections


def write(site: Site) -> None:
    """nova.conf of each process."""
    site.put("nova/nova.conf", nova(site, cell=False), databases(site, "nova_cell0"))
    # nova's WSGI application looks for the paste file beside its nova.conf.
    (site.etc / "nova/api-paste.ini").write_text((site.venv / "etc/nova/api-paste.ini").read_text())
    site.put("nova-cell1/nova.conf", nova(site, cell=True), databases(site, "nova_cell1"))
    for number in range(1, site.computes + 1):
        site.put(
            f"nova-hv{number}/nova.conf",
            # The plain FakeDriver makes up two nodes that no placement inventory has.
            compute_service(site, f"hv{number}", "fake.FakeDriverWithoutFakeNodes"),
            {"compute": {"resource_provider_association_refresh": 300}},
        )
    site.put(
        "nova-bm/nova.conf",
        compute_service(site, "bm", "ironic.IronicDriver"),
        {
            "DEFAULT": {"reserved_host_memory_mb": 0, "reserved_host_disk_mb": 0},
            "ironic": {**site.client("ironic"), "api_max_retries": 30, "api_retry_interval": 2},
        },
    )
