"""What Slurm asked for, as it lies in the spool and as the data of a command."""

import json
from typing import Any

TYPES = {
    "resume": "burst-scheduler.nodes.resume",
    "suspend": "burst-scheduler.nodes.suspend",
    "resume-fail": "burst-scheduler.nodes.give-up",
}
MAX_JOBS = 2000
MAX_JOBS_CHARACTERS = 120_000
"""Of all jobs' lists of nodes: a command has at most 256 KiB."""


class Broken(Exception):
    """What lies in the spool is no call."""


def read_call(spooled: bytes, workspace: str) -> tuple[str, dict[str, Any]]:
    """The command's type and data. Raises Broken; a broken resume file costs the jobs, not the nodes."""
    head, _, resume_file = spooled.partition(b"\n\n")
    try:
        kind, asked_at, nodes = head.decode("ascii").split("\n")
        data: dict[str, Any] = {"workspace": workspace, "nodes": nodes, "asked_at": asked_at}
        if kind == "resume":
            data["jobs"] = jobs_in(resume_file)
        return TYPES[kind], data
    except (ValueError, KeyError) as error:
        raise Broken(str(error)) from None


def jobs_in(resume_file: bytes) -> list[dict[str, Any]]:
    """The jobs and the nodes that each waits for, in Slurm's order.

    Slurm 22.05 writes `nodes`, 23.02 and later `nodes_resume` beside `nodes_alloc` (source: Slurm's guide on power saving).
    What is past the bounds of a command is left out: those nodes are taken one by one.
    """
    found: list[dict[str, Any]] = []
    left = MAX_JOBS_CHARACTERS
    try:
        for job in json.loads(resume_file)["jobs"][:MAX_JOBS]:
            # A job of which all nodes are up waits for none.
            nodes = str(job.get("nodes_resume") or job.get("nodes") or "")
            left -= len(nodes)
            if left < 0:
                break
            if nodes:
                found.append({"job_id": int(job["job_id"]), "nodes": nodes})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
    return found
