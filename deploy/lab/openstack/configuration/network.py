"""Neutron with ML2/OVN."""

from configuration.site import HOST, Site, Value


def write(site: Site) -> None:
    """neutron.conf and ml2_conf.ini. No quota of Neutron's is set: the suites set the quotas they test."""
    quotas: dict[str, Value] = {"default_quota": -1}
    unlimited = ("network", "port", "subnet", "router", "security_group", "security_group_rule", "floatingip")
    site.put(
        "neutron/neutron.conf",
        site.service("neutron"),
        {
            "DEFAULT": {
                "host": "ctl",
                "core_plugin": "ml2",
                "service_plugins": "ovn-router,qos,trunk,port_forwarding",
                "auth_strategy": "keystone",
                "notify_nova_on_port_status_changes": "true",
                "notify_nova_on_port_data_changes": "true",
                "api_paste_config": site.venv / "etc/neutron/api-paste.ini",
                "api_workers": 1,
                "rpc_workers": 1,
                "rpc_state_report_workers": 0,
                "vlan_transparent": "false",
                "dhcp_agent_notification": "false",
                "bind_host": HOST,
                "bind_port": site.ports["neutron"],
            },
            "database": site.database("neutron"),
            "keystone_authtoken": site.token_validation("neutron"),
            "nova": {**site.client("nova"), "live_migration_events": "true"},
            "placement": site.client("placement"),
            "quotas": quotas | {f"quota_{name}": -1 for name in unlimited},
        },
    )
    site.put(
        "neutron/plugins/ml2/ml2_conf.ini",
        {
            "ml2": {
                "type_drivers": "flat,geneve,vlan,local",
                "tenant_network_types": "geneve",
                "mechanism_drivers": "ovn",
                "extension_drivers": "port_security,qos",
                "overlay_ip_version": 4,
            },
            "ml2_type_geneve": {"vni_ranges": "1:65535", "max_header_size": 38},
            "ml2_type_vlan": {"network_vlan_ranges": "physnet1:100:999"},
            "ml2_type_flat": {"flat_networks": "*"},
            "securitygroup": {"enable_security_group": "true"},
            "ovn": {
                "ovn_nb_connection": f"tcp:{HOST}:{site.ports['ovn_nb']}",
                "ovn_sb_connection": f"tcp:{HOST}:{site.ports['ovn_sb']}",
                "ovn_l3_scheduler": "leastloaded",
                "enable_distributed_floating_ip": "false",
                "ovn_metadata_enabled": "false",
                "disable_ovn_dhcp_for_baremetal_ports": "true",
            },
        },
    )
