#!/bin/bash
# demo.sh [arguments]: brings the lab up and runs the project's demonstration against it (make lab-demo).
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"
python=$LAB_CHECKOUT/.venv/bin/python
[ -x "$python" ] || fail "the project's environment is missing ($LAB_CHECKOUT/.venv): make env"
"$LAB_HERE/up.sh"
. "$LAB_ETC/lab.env"
cd "$LAB_CHECKOUT"
unset PYTHONWARNINGS TMPDIR
exec "$python" deploy/demo/run.py --cloud lab "$@"
