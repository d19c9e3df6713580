#!/bin/bash
# svc.sh list | stop NAME | kill NAME | start NAME | restart NAME: one process of the lab (for fault injection)
set -uo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"

# Fills `pages`: by session, the resident memory of its processes in pages of 4 KiB.
declare -A pages
count_pages() {
  local folder stat fields
  for folder in /proc/[0-9]*; do
    { stat=$(<"$folder/stat"); fields=($(<"$folder/statm")); } 2>/dev/null || continue
    stat=(${stat##*) })
    pages[${stat[3]}]=$(( ${pages[${stat[3]}]:-0} + ${fields[1]:-0} ))
  done
}

list() {
  local name pid
  count_pages
  for name in $(names); do
    if pid=$(pid_of "$name"); then
      printf '%-24s up   %6d MiB\n' "$name" $(( ${pages[$pid]:-0} / 256 ))
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
