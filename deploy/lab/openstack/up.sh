#!/bin/bash
# up.sh: installs, configures and starts a real OpenStack control plane on 127.0.0.1.
# Idempotent: what runs is left alone, what is missing is started. Settings: see settings.sh.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"
. "$LAB_HERE/install.sh"
mark() { log "$* (+$SECONDS s)"; }

available_mib=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
if ! alive keystone && [ "$available_mib" -lt 6500 ]; then
  log "only $available_mib MiB of memory are available; the lab wants 6500"
fi
claim_port "$LAB_PORT_MARIADB" mariadb
claim_port "$LAB_PORT_AMQP" rabbit
claim_port "$LAB_PORT_KEYSTONE" keystone
install_lab
"$LAB_VENV/bin/python" "$LAB_HERE/configure.py"

# ---- database, cache, bus
run_as=()
[ "$(id -u)" != 0 ] || run_as=(--user=root)
if ! alive mariadb; then
  if ! [ -d "$TRESOR_LAB/mysql/mysql" ]; then
    mkdir -p "$TRESOR_LAB/mysql"
    mariadb-install-db --no-defaults "${run_as[@]}" --datadir="$TRESOR_LAB/mysql" --skip-test-db \
      --auth-root-authentication-method=normal >"$LAB_LOGS/mariadb-install.log" 2>&1 \
      || fail "MariaDB's data folder could not be made, see $LAB_LOGS/mariadb-install.log"
  fi
  # Nothing here has to survive a power cut, so commits need not reach the disk.
  start mariadb /usr/sbin/mariadbd --no-defaults "${run_as[@]}" --datadir="$TRESOR_LAB/mysql" --socket="$LAB_RUN/mysql.sock" \
    --pid-file="$LAB_RUN/mariadbd.self" --bind-address=127.0.0.1 --port="$LAB_PORT_MARIADB" --skip-name-resolve \
    --max-connections=1000 --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size=512M \
    --innodb-log-file-size=256M --skip-log-bin --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci
fi
start memcached memcached ${run_as:+-u root} -l 127.0.0.1 -p "$LAB_PORT_MEMCACHED" -U 0 -m 64
if ! alive rabbit; then
  mkdir -p "$TRESOR_LAB/rabbit"
  ( rabbit_environment
    start epmd /usr/bin/epmd -address 127.0.0.1 -port "$LAB_PORT_EPMD"
    wait_port "$LAB_PORT_EPMD" 10
    start rabbit /usr/lib/rabbitmq/bin/rabbitmq-server )
fi
wait_port "$LAB_PORT_MARIADB" 60
wait_port "$LAB_PORT_AMQP" 90
rabbitmqctl_lab await_startup --timeout 90
if ! [ -e "$LAB_STATE/.bus" ]; then
  rabbitmqctl_lab list_users | grep -q '^oslab\b' || rabbitmqctl_lab add_user oslab "$LAB_PASSWORD"
  rabbitmqctl_lab list_users | grep -q '^tresor\b' || rabbitmqctl_lab add_user tresor "$LAB_PASSWORD"
  for vhost in "$LAB_VHOST" "$LAB_VHOST_CELL"; do
    rabbitmqctl_lab list_vhosts | grep -qx "$vhost" || rabbitmqctl_lab add_vhost "$vhost"
    rabbitmqctl_lab set_permissions -p "$vhost" oslab '.*' '.*' '.*'
  done
  # Tresor listens: it makes and reads queues of its own and binds them to the services' exchanges, nothing else.
  rabbitmqctl_lab set_permissions -p "$LAB_VHOST" tresor '^tresor\..*' '^tresor\..*' \
    '^(tresor\..*|nova|neutron|keystone|cinder|glance|manila|ironic|openstack|placement)$'
  touch "$LAB_STATE/.bus"
fi
mark "MariaDB and RabbitMQ run"

"$LAB_HERE/schemas.sh"
mark "the database schemas are there"

# ---- keystone, accounts, catalogue
export OS_KEYSTONE_CONFIG_DIR=$LAB_ETC/keystone OS_PLACEMENT_CONFIG_DIR=$LAB_ETC/placement
export OS_GLANCE_CONFIG_DIR=$LAB_ETC/glance OS_NOVA_CONFIG_DIR=$LAB_ETC/nova OS_NEUTRON_CONFIG_DIR=$LAB_ETC/neutron
export OS_CLIENT_CONFIG_FILE=$LAB_ETC/clouds.yaml
start_api keystone "$LAB_PORT_KEYSTONE" keystone.wsgi.api:application "" 2
wait_http "http://127.0.0.1:$LAB_PORT_KEYSTONE/v3" 60
if ! [ -e "$LAB_STATE/.accounts" ]; then
  "$LAB_VENV/bin/python" "$LAB_HERE/accounts.py"
  touch "$LAB_STATE/.accounts"
fi
mark "Keystone runs, the accounts and the catalogue are there"

"$LAB_HERE/ovn.sh"
mark "OVN runs"

# ---- the services
# Neutron keeps its OVN agents' state in files of these names; a stale one holds a dead process's lock.
alive neutron || rm -f "$TMPDIR"/neutron_*
neutron_files=(--config-file "$LAB_ETC/neutron/neutron.conf" --config-file "$LAB_ETC/neutron/plugins/ml2/ml2_conf.ini")
start_api placement "$LAB_PORT_PLACEMENT" placement.wsgi.api:application
start_api glance "$LAB_PORT_GLANCE" glance.wsgi.api:application
start_api neutron "$LAB_PORT_NEUTRON" neutron.wsgi.api:application
start neutron-rpc neutron-rpc-server "${neutron_files[@]}"
start neutron-periodic neutron-periodic-workers "${neutron_files[@]}"
start neutron-ovn-maint neutron-ovn-maintenance-worker "${neutron_files[@]}"
start nova-superconductor nova-conductor --config-file "$LAB_ETC/nova/nova.conf"
start nova-scheduler nova-scheduler --config-file "$LAB_ETC/nova/nova.conf"
start nova-conductor-cell1 nova-conductor --config-file "$LAB_ETC/nova-cell1/nova.conf"
start_api nova "$LAB_PORT_NOVA" nova.wsgi.osapi_compute:application "" 2
wait_http "http://127.0.0.1:$LAB_PORT_PLACEMENT/" 60
for number in $(seq 1 "$LAB_COMPUTES"); do
  start "nova-hv$number" nova-compute --config-file "$LAB_ETC/nova-hv$number/nova.conf"
done
start cinder-scheduler cinder-scheduler --config-file "$LAB_ETC/cinder/cinder.conf"
start cinder-volume cinder-volume --config-file "$LAB_ETC/cinder/cinder.conf"
start_api cinder "$LAB_PORT_CINDER" cinder.wsgi.api:application "--config-file $LAB_ETC/cinder/cinder.conf"
start manila-scheduler manila-scheduler --config-file "$LAB_ETC/manila/manila.conf"
mkdir -p "$TRESOR_LAB/drivers"
cp "$LAB_HERE"/drivers/*.py "$TRESOR_LAB/drivers/"
( export PYTHONPATH="$TRESOR_LAB/drivers"; start manila-share manila-share --config-file "$LAB_ETC/manila/manila.conf" )
start_api manila "$LAB_PORT_MANILA" manila.wsgi.api:application "--config-file $LAB_ETC/manila/manila.conf"
start ironic-conductor ironic-conductor --config-file "$LAB_ETC/ironic/ironic.conf"
start ironic-api ironic-api --config-file "$LAB_ETC/ironic/ironic.conf"
for port in "$LAB_PORT_GLANCE" "$LAB_PORT_NEUTRON" "$LAB_PORT_NOVA" "$LAB_PORT_CINDER" "$LAB_PORT_MANILA" "$LAB_PORT_IRONIC"; do
  wait_http "http://127.0.0.1:$port/" 120
done
mark "all APIs answer"
start plugger "$LAB_VENV/bin/python" -u "$LAB_HERE/plugger.py" "$TRESOR_LAB/ovn" $(seq -f hv%g 1 "$LAB_COMPUTES")
[ "$LAB_IRONIC_COMPUTE" != 1 ] || start nova-bm nova-compute --config-file "$LAB_ETC/nova-bm/nova.conf"
"$LAB_VENV/bin/python" "$LAB_HERE/offerings.py"
mark "the lab is ready: . $LAB_ETC/lab.env"
