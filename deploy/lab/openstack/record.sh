#!/bin/bash
# record.sh [OUT.jsonl.gz]: brings the lab up, runs the workload and records its notifications (make lab-record).
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"
out=${1:-$LAB_CHECKOUT/tests/recordings/openstack-2026.2.jsonl.gz}
"$LAB_HERE/up.sh"
. "$LAB_ETC/lab.env"
"$LAB_VENV/bin/python" "$LAB_HERE/recorder.py" "$TMPDIR/recording.gz" & recorder=$!
trap 'kill "$recorder" 2>/dev/null || true' EXIT
sleep 2
"$LAB_VENV/bin/python" "$LAB_HERE/scenario.py"
# The last deletions' events are still under way when the last call returns.
sleep 5
kill -TERM "$recorder"
wait "$recorder"
trap - EXIT
mkdir -p "$(dirname "$out")"
mv "$TMPDIR/recording.gz" "$out"
log "recorded in $out"
