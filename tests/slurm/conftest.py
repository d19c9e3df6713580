"""A real Slurm, shared by the tests of this folder that run in one process."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.console import Console, Lacking
from lab.slurm.cluster import Cluster
from lab.slurm.configuration import Timing
from lab.slurm.serving import Server, write_hooks


@pytest.fixture(scope="session")
def slurm() -> Iterator[Server]:
    """A cluster whose hooks boot and stop machines at once, and what stands behind them."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        folder = Path(name)
        try:
            cluster = Cluster.find(folder, Console(), timing=Timing(suspend_time_seconds=4))
        except Lacking as lacking:
            pytest.fail(f"{lacking}; install Slurm and MUNGE, or leave these out: -m 'not slurm'", pytrace=False)
        with Server(cluster) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                cluster.start(write_hooks(folder))
                yield server
            finally:
                cluster.stop()
                server.shutdown()
                thread.join()
