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


def found_cluster(folder: Path, timing: Timing) -> Cluster:
    """A cluster that is not started; fails the test where there is no Slurm to be had."""
    try:
        return Cluster.find(folder, Console(), timing=timing)
    except Lacking as lacking:
        pytest.fail(f"{lacking}; install Slurm and MUNGE, or leave these out: -m 'not slurm'", pytrace=False)


@pytest.fixture(scope="session")
def slurm() -> Iterator[Server]:
    """A cluster whose hooks boot and stop machines at once, and what stands behind them."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        cluster = found_cluster(Path(name), Timing(suspend_time_seconds=4))
        with Server(cluster) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                cluster.start(write_hooks(cluster.folder))
                yield server
            finally:
                cluster.stop()
                server.shutdown()
                thread.join()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of the test's own, which it starts with hooks of its own; it is stopped afterwards."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        found = found_cluster(Path(name), Timing(suspend_time_seconds=4))
        try:
            yield found
        finally:
            found.stop()
