"""`python -m tests.bench`: ingest and latency, ours and others', in one run."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2] / "deploy"))
    from tests.bench.run import main

    sys.exit(main())
