# Settings of the lab, sourced by every script here. Everything the lab writes lives under $TRESOR_LAB; nothing is
# written beside the scripts. The path has to stay short: a Unix socket's path may not pass 107 bytes.

LAB_HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
LAB_CHECKOUT="$(cd "$LAB_HERE/../../.." && pwd)"

# What a caller may set.
export TRESOR_LAB="${TRESOR_LAB:-/tmp/tresor-lab}"                     # the one state folder
export LAB_COMPUTES="${LAB_COMPUTES:-3}"                               # fake hypervisors hv1..hvN
export LAB_IRONIC_COMPUTE="${LAB_IRONIC_COMPUTE:-1}"                   # 1: Nova can boot bare-metal nodes
export LAB_PORT_SHIFT="${LAB_PORT_SHIFT:-20000}"                       # API ports: OpenStack's defaults + this
export LAB_DEBUG="${LAB_DEBUG:-false}"                                 # the OpenStack services' debug logs
export LAB_KEYSTONE_NOTIFICATIONS="${LAB_KEYSTONE_NOTIFICATIONS:-cadf}" # cadf | basic
export LAB_BAREMETAL_POWER_DELAY="${LAB_BAREMETAL_POWER_DELAY:-0}"     # seconds, or a range such as 2,10
export LAB_BAREMETAL_DEPLOY_DELAY="${LAB_BAREMETAL_DEPLOY_DELAY:-0}"   # seconds, or a range such as 2,10

# Every account of the lab has this password: all of it listens on loopback only and holds no data.
export LAB_PASSWORD=oslab

export LAB_ETC="$TRESOR_LAB/etc" LAB_STATE="$TRESOR_LAB/state" LAB_VENV="$TRESOR_LAB/venv"
LAB_LOGS="$TRESOR_LAB/logs"
LAB_RUN="$TRESOR_LAB/run"
export TMPDIR="$TRESOR_LAB/tmp"
export PATH="$LAB_VENV/bin:$PATH:/usr/sbin:/sbin:/usr/bin:/bin"
export PYTHONWARNINGS=ignore

shifted() { echo $(( $1 + LAB_PORT_SHIFT - 20000 )); }
LAB_PORT_KEYSTONE=$(shifted 25000) LAB_PORT_GLANCE=$(shifted 29292) LAB_PORT_NOVA=$(shifted 28774)
LAB_PORT_PLACEMENT=$(shifted 28778) LAB_PORT_NEUTRON=$(shifted 29696) LAB_PORT_CINDER=$(shifted 28776)
LAB_PORT_MANILA=$(shifted 28786) LAB_PORT_IRONIC=$(shifted 26385)
LAB_PORT_OVN_NB=$(shifted 16641) LAB_PORT_OVN_SB=$(shifted 16642)
LAB_PORT_AMQP=$(shifted 5673) LAB_PORT_EPMD=$(shifted 4371) LAB_PORT_ERLANG=$(shifted 25684)
LAB_PORT_MARIADB=$(shifted 3307) LAB_PORT_MEMCACHED=$(shifted 21211)
export "${!LAB_PORT_@}"

# Vhosts of the lab's broker: `openstack` carries RPC and every notification, `cell1` the cell's RPC only.
export LAB_VHOST=openstack LAB_VHOST_CELL=cell1

if [ "${#TRESOR_LAB}" -gt 60 ]; then
  echo "TRESOR_LAB is ${#TRESOR_LAB} characters long; 60 is the most that leaves room for the sockets' names" >&2
  exit 2
fi
mkdir -p "$TRESOR_LAB" "$LAB_ETC" "$LAB_LOGS" "$LAB_RUN" "$LAB_STATE" "$TMPDIR"
