"""What a real Slurm asks of its hooks, and what it makes of a cloud that gives a node or does not."""

import pytest

from lab.slurm.configuration import own_user
from lab.slurm.machines import Behaviour
from lab.slurm.serving import Server

pytestmark = pytest.mark.slurm


def test_a_job_has_its_nodes_made_and_they_go_when_idle(slurm: Server) -> None:
    """Two cold nodes: one hook call for both, the job runs on them, and one call takes them away."""
    cluster = slurm.cluster
    done = cluster.run("srun", "-p", "cloud", "-N2", "-w", "cloud[1-2]", "printenv", "SLURMD_NODENAME")
    assert sorted(done.stdout.split()) == ["cloud1", "cloud2"]
    resumed = slurm.until_call("resume", "cloud[1-2]")
    assert resumed["user"] == own_user()
    assert resumed["resume_file"]["all_nodes"] == "cloud[1-2]"
    assert [job["nodes"] for job in resumed["resume_file"]["jobs"]] == ["cloud[1-2]"]
    # What a hook has to live without: Slurm gives it no PATH and no open files.
    assert "PATH" not in resumed["environment"]
    assert "SLURM_CONF" in resumed["environment"]
    for node in ("cloud1", "cloud2"):
        cluster.until_state(node, ["idle~"])
    assert {node for call in slurm.calls("suspend") for node in _names(slurm, call["nodes"])} >= {"cloud1", "cloud2"}
    assert not {"cloud1", "cloud2"} & set(cluster.machines.running())


def test_a_node_is_made_without_a_job(slurm: Server) -> None:
    """Powered up by hand, the resume file names no job."""
    cluster = slurm.cluster
    cluster.run("scontrol", "update", "nodename=cloud3", "state=power_up")
    cluster.until_state("cloud3", ["idle"])
    resumed = slurm.until_call("resume", "cloud3")
    assert resumed["resume_file"] == {"jobs": [], "all_nodes": "cloud3"}
    cluster.run("scontrol", "update", "nodename=cloud3", "state=power_down")
    cluster.until_state("cloud3", ["idle~"])


def test_a_node_that_never_comes_is_told_as_failed_and_says_why(slurm: Server) -> None:
    """After ResumeTimeout the fail hook is called, never the suspend hook; the node stays down until it is mended."""
    cluster = slurm.cluster
    cluster.machines.behave("cloud4", Behaviour(boots=False))
    cluster.run("sbatch", "-p", "hasty", "-o", "/dev/null", "--wrap", "true")
    cluster.until_state("cloud4", ["down~"])
    assert cluster.reason_of("cloud4") == "ResumeTimeout reached"
    slurm.until_call("resume-fail", "cloud4")
    assert "cloud4" not in [call["nodes"] for call in slurm.calls("suspend")]
    cluster.run("scancel", "-p", "hasty")
    cluster.machines.behave("cloud4", Behaviour())
    cluster.run("scontrol", "update", "nodename=cloud4", "state=power_down")
    cluster.run("scontrol", "update", "nodename=cloud4", "state=resume")
    cluster.until_state("cloud4", ["idle~"])


def _names(slurm: Server, nodes: str) -> list[str]:
    return slurm.cluster.run("scontrol", "show", "hostnames", nodes).stdout.split()
