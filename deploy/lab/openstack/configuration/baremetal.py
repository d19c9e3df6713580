"""Ironic with fake hardware."""

from configuration.site import HOST, OWN_TOPIC, Site


def write(site: Site) -> None:
    """ironic.conf. Nodes pass through their real states; no machine is behind them."""
    service = site.service("ironic")
    # Ironic knows no state_path and refuses to start with one.
    del service["DEFAULT"]["state_path"]
    service["DEFAULT"] |= {
        "host": "ctl",
        "my_ip": HOST,
        "auth_strategy": "keystone",
        "rpc_transport": "oslo",
        "enabled_hardware_types": "fake-hardware",
        "enabled_bios_interfaces": "fake,no-bios",
        "enabled_boot_interfaces": "fake",
        "enabled_console_interfaces": "fake,no-console",
        "enabled_deploy_interfaces": "fake",
        "enabled_firmware_interfaces": "fake,no-firmware",
        "enabled_inspect_interfaces": "fake,no-inspect",
        "enabled_management_interfaces": "fake",
        "enabled_network_interfaces": "noop",
        "default_network_interface": "noop",
        "enabled_power_interfaces": "fake",
        "enabled_raid_interfaces": "fake,no-raid",
        "enabled_rescue_interfaces": "fake,no-rescue",
        "enabled_storage_interfaces": "fake,noop",
        "enabled_vendor_interfaces": "fake,no-vendor",
        "default_deploy_interface": "fake",
        "default_boot_interface": "fake",
        "default_inspect_interface": "fake",
        "default_storage_interface": "noop",
        "notification_level": "debug",
        "versioned_notifications_topics": f"ironic_versioned_notifications,{OWN_TOPIC}",
        "tempdir": site.folder / "tmp",
        "pybasedir": next((site.venv / "lib").glob("python3*")) / "site-packages/ironic",
        "rbac_service_role_elevated_access": "true",
    }
    clients = ("nova", "neutron", "cinder", "glance")
    site.put(
        "ironic/ironic.conf",
        service,
        {
            "api": {"host_ip": HOST, "port": site.ports["ironic"], "api_workers": 1},
            # The conductor will not start its periodic tasks with a pool of 26 workers or fewer.
            "conductor": {
                "workers_pool_size": 64,
                "heartbeat_interval": 10,
                "heartbeat_timeout": 60,
                "automated_clean": "true",
                "sync_power_state_interval": 60,
                "force_power_state_during_sync": "false",
            },
            "sensor_data": {
                "send_sensor_data": "true",
                "interval": 60,
                "enable_for_conductor": "false",
                "enable_for_undeployed_nodes": "true",
            },
            "deploy": {"http_root": site.folder_of("ironic", "http"), "http_url": f"http://{HOST}:1/"},
            "pxe": {
                "tftp_root": site.folder_of("ironic", "tftp"),
                "images_path": site.folder_of("ironic", "images"),
                "tftp_master_path": site.folder_of("ironic", "master"),
                "instance_master_path": site.folder_of("ironic", "master"),
            },
            "database": site.database("ironic"),
            "keystone_authtoken": site.token_validation("ironic"),
            "fake": {"power_delay": site.power_delay_seconds, "deploy_delay": site.deploy_delay_seconds},
        },
        {name: site.client(name) for name in clients},
        {name: site.client("ironic") for name in ("service_catalog", "swift", "inspector")},
    )
