#!/bin/bash
# schemas.sh: the services' databases and schemas, Keystone's keys and first administrator, Nova's cells. Done once.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"
[ ! -e "$LAB_STATE/.schemas" ] || exit 0

sql() { mariadb --no-defaults -S "$LAB_RUN/mysql.sock" -uroot "$@"; }
for database in keystone placement glance nova_api nova_cell0 nova_cell1 neutron cinder manila ironic; do
  echo "CREATE DATABASE IF NOT EXISTS $database CHARACTER SET utf8mb3;"
done | sql
sql -e "CREATE USER IF NOT EXISTS oslab@'127.0.0.1' IDENTIFIED BY '$LAB_PASSWORD';
        GRANT ALL ON *.* TO oslab@'127.0.0.1' WITH GRANT OPTION"

database_url() { echo "mysql+pymysql://oslab:$LAB_PASSWORD@127.0.0.1:$LAB_PORT_MARIADB/$1?charset=utf8mb4"; }

neutron_cinder_manila() {
  neutron-db-manage --config-file "$LAB_ETC/neutron/neutron.conf" \
    --config-file "$LAB_ETC/neutron/plugins/ml2/ml2_conf.ini" upgrade heads
  cinder-manage --config-file "$LAB_ETC/cinder/cinder.conf" db sync
  manila-manage --config-file "$LAB_ETC/manila/manila.conf" db sync
}

keystone_and_the_rest() {
  local keystone_manage=(keystone-manage --config-file "$LAB_ETC/keystone/keystone.conf") owner
  owner=(--keystone-user "$(id -un)" --keystone-group "$(id -gn)")
  mkdir -p "$LAB_STATE/keystone/fernet" "$LAB_STATE/keystone/credential"
  "${keystone_manage[@]}" db_sync
  "${keystone_manage[@]}" fernet_setup "${owner[@]}"
  "${keystone_manage[@]}" credential_setup "${owner[@]}"
  local url=http://127.0.0.1:$LAB_PORT_KEYSTONE/v3
  "${keystone_manage[@]}" bootstrap --bootstrap-password "$LAB_PASSWORD" --bootstrap-region-id RegionOne \
    --bootstrap-admin-url "$url" --bootstrap-internal-url "$url" --bootstrap-public-url "$url"
  placement-manage --config-file "$LAB_ETC/placement/placement.conf" db sync
  glance-manage --config-file "$LAB_ETC/glance/glance-api.conf" db_sync
  ironic-dbsync --config-file "$LAB_ETC/ironic/ironic.conf" upgrade
  local nova_manage=(nova-manage --config-file "$LAB_ETC/nova/nova.conf")
  "${nova_manage[@]}" api_db sync
  "${nova_manage[@]}" cell_v2 map_cell0 --database_connection "$(database_url nova_cell0)"
  "${nova_manage[@]}" db sync
  "${nova_manage[@]}" cell_v2 list_cells | grep -qw cell1 || "${nova_manage[@]}" cell_v2 create_cell --name cell1 \
    --database_connection "$(database_url nova_cell1)" \
    --transport-url "rabbit://oslab:$LAB_PASSWORD@127.0.0.1:$LAB_PORT_AMQP/$LAB_VHOST_CELL"
  nova-manage --config-file "$LAB_ETC/nova-cell1/nova.conf" db sync --local_cell
}

( set -e; neutron_cinder_manila ) >"$LAB_LOGS/schemas-neutron-cinder-manila.log" 2>&1 & first=$!
( set -e; keystone_and_the_rest ) >"$LAB_LOGS/schemas-keystone-nova.log" 2>&1 & second=$!
wait "$first" || fail "a database schema failed, see $LAB_LOGS/schemas-neutron-cinder-manila.log"
wait "$second" || fail "a database schema failed, see $LAB_LOGS/schemas-keystone-nova.log"
touch "$LAB_STATE/.schemas"
