#!/bin/bash
# OVN in userspace: northbound and southbound databases, northd, and for each fake hypervisor one
# ovsdb-server, one ovs-vswitchd (dummy datapath: no packet flows) and one ovn-controller. Idempotent.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"

ovn=$TRESOR_LAB/ovn
mkdir -p "$ovn"
export OVN_RUNDIR=$ovn OVN_LOGDIR=$LAB_LOGS OVS_LOGDIR=$LAB_LOGS OVN_DBDIR=$ovn OVS_DBDIR=$ovn OVS_RUNDIR=$ovn

for database in nb sb; do
  [ -e "$ovn/$database.db" ] || ovsdb-tool create "$ovn/$database.db" "/usr/share/ovn/ovn-$database.ovsschema"
done
start ovn-nb ovsdb-server "--remote=ptcp:$LAB_PORT_OVN_NB:127.0.0.1" "--remote=punix:$ovn/nb.sock" \
  "--unixctl=$ovn/nb.ctl" --no-chdir "$ovn/nb.db"
start ovn-sb ovsdb-server "--remote=ptcp:$LAB_PORT_OVN_SB:127.0.0.1" "--remote=punix:$ovn/sb.sock" \
  "--unixctl=$ovn/sb.ctl" --no-chdir "$ovn/sb.db"
wait_port "$LAB_PORT_OVN_NB" 20
wait_port "$LAB_PORT_OVN_SB" 20
ovn-nbctl "--db=unix:$ovn/nb.sock" init
ovn-sbctl "--db=unix:$ovn/sb.sock" init
start ovn-northd ovn-northd "--ovnnb-db=unix:$ovn/nb.sock" "--ovnsb-db=unix:$ovn/sb.sock" "--unixctl=$ovn/northd.ctl"

for number in $(seq 1 "$LAB_COMPUTES"); do
  host=hv$number
  folder=$ovn/$host
  mkdir -p "$folder"
  [ -e "$folder/conf.db" ] || ovsdb-tool create "$folder/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  export OVS_RUNDIR=$folder OVN_RUNDIR=$folder
  start "$host-ovsdb" ovsdb-server "--remote=punix:$folder/db.sock" "--unixctl=$folder/ovsdb.ctl" --no-chdir "$folder/conf.db"
  for _ in $(seq 1 100); do [ -S "$folder/db.sock" ] && break; sleep 0.1; done
  vsctl="ovs-vsctl --timeout=20 --db=unix:$folder/db.sock --no-wait"
  $vsctl init
  $vsctl set Open_vSwitch . "external_ids:system-id=$host" "external_ids:hostname=$host" "external_ids:rundir=$folder" \
    "external_ids:ovn-remote=tcp:127.0.0.1:$LAB_PORT_OVN_SB" external_ids:ovn-encap-type=geneve \
    "external_ids:ovn-encap-ip=127.0.0.$((number + 1))" external_ids:ovn-bridge-mappings=physnet1:br-ex \
    external_ids:ovn-cms-options=enable-chassis-as-gw external_ids:ovn-bridge-datapath-type=dummy
  $vsctl --may-exist add-br br-int -- set bridge br-int datapath_type=dummy fail-mode=secure
  $vsctl --may-exist add-br br-ex -- set bridge br-ex datapath_type=dummy
  start "$host-vswitchd" ovs-vswitchd --enable-dummy=override --disable-system --disable-system-route -vconsole:warn \
    -vsyslog:off --no-chdir "--unixctl=$folder/vswitchd.ctl" "unix:$folder/db.sock"
  # ovn-controller of Debian 12 (23.03) takes no --unixctl: it finds its place through OVN_RUNDIR.
  start "$host-ovnctl" ovn-controller -vconsole:warn -vsyslog:off --no-chdir "unix:$folder/db.sock"
done
