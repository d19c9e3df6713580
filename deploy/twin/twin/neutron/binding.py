"""How a port is bound to its host: by OVN, by the host's adapter, or on a trunk."""

from twin.core.table import Row

SUBPORT_OWNER = "trunk:subport"
BINDING = ("binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details")
"""What only administrators and services see of a port."""
VIF_DETAILS = {
    "port_filter": True,
    "connectivity": "l2",
    "ovs_create_tap": True,
    "bridge_name": "br-int",
    "datapath_type": "system",
    "bound_drivers": {"0": "ovn"},
}


def bind(row: Row, network: Row) -> None:
    """OVN binds at once; the port goes ACTIVE when the interface is plugged, and DOWN when it leaves its host.

    A virtual function is the adapter's, which applies no group (`port_filter`). A subport has no host of its own.
    """
    row["status"] = "DOWN"
    if row["binding:host_id"] and row["binding:vnic_type"] == "direct":
        row["binding:vif_type"] = "hw_veb"
        row["binding:vif_details"] = {
            "port_filter": False,
            "connectivity": "l2",
            "vlan": str(network.get("provider:segmentation_id")),
        }
    elif row["binding:host_id"] or row["device_owner"] == SUBPORT_OWNER:
        row["binding:vif_type"] = "ovs"
        row["binding:vif_details"] = dict(VIF_DETAILS)
    else:
        row["binding:vif_type"] = "unbound"
        row["binding:vif_details"] = {}
