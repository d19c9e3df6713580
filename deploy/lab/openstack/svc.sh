#!/bin/bash
# svc.sh list | stop NAME | kill NAME | start NAME | restart NAME: one process of the lab (for fault injection)
set -uo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"

# The resident memory of all processes of a session, in MiB.
session_mib() {
  awk -v session="$1" '
    FILENAME ~ /stat$/ { sub(/.*\) /, ""); mine = ($4 == session) }
    FILENAME ~ /statm$/ && mine { pages += $2 }
    END { printf "%d", pages * 4 / 1024 }' $(ls -d /proc/[0-9]* | sed 's/.*/&\/stat &\/statm/') 2>/dev/null
}

list() {
  local name pid
  for name in $(names); do
    if pid=$(pid_of "$name"); then
      printf '%-24s up   %6d MiB\n' "$name" "$(session_mib "$pid")"
    else
      printf '%-24s down\n' "$name"
    fi
  done
}

action=${1:-} name=${2:-}
if [ "$action" != list ] && ! [ -e "$LAB_RUN/$name.cmd" ]; then
  sed -n 2p "$0"
  exit 2
fi
case $action in
  list) list ;;
  stop) end TERM 30 "$name" ;;
  kill) end KILL 10 "$name" ;;
  start) alive "$name" || relaunch "$name" ;;
  restart) end TERM 30 "$name"; relaunch "$name" ;;
  *) sed -n 2p "$0"; exit 2 ;;
esac
