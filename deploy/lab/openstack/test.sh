#!/bin/bash
# test.sh [pytest arguments]: brings the lab up and runs the conformance suite against it (make lab-test).
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$LAB_HERE/process.sh"
pytest=$LAB_CHECKOUT/.venv/bin/pytest
[ -x "$pytest" ] || fail "the project's environment is missing ($LAB_CHECKOUT/.venv): make env"
"$LAB_HERE/up.sh"
. "$LAB_ETC/lab.env"
cd "$LAB_CHECKOUT"
# The lab's own variables are no business of the suite's processes; TMPDIR is the short one of the lab.
unset PYTHONWARNINGS
TRESOR_CLOUD=lab exec "$pytest" tests/lab tests/demo/test_lab_demo.py "$@"
