#!/bin/bash
# down.sh [--wipe]: stops what up.sh started, and only that; --wipe also removes all state but the virtual environment.
set -uo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"

foundation='^(rabbit|epmd|mariadb|memcached|ovn-nb|ovn-sb|ovn-northd|hv[0-9]+-(ovsdb|vswitchd|ovnctl))$'
end TERM 20 $(names | grep -vE "$foundation")
end TERM 20 $(names | grep -vE '^(ovn-nb|ovn-sb|hv[0-9]+-ovsdb|epmd)$')
end TERM 10 $(names)
if [ "${1:-}" = --wipe ]; then
  for part in mysql rabbit state ovn etc run tmp logs drivers; do rm -rf "${TRESOR_LAB:?}/$part"; done
fi
log "the lab is stopped"
