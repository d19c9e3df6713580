"""Nodes on demand: asked for by Slurm's hooks or by a person, wanted and released by the pool's ledger."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.burst_scheduler.parts import Part
from contracts.envelope import Answer, Command, Event, Problem, Query, Role
from contracts.examples import WORKSPACE
from contracts.identifiers import Generation, Identifier

MAX_JOBS = 2000
"""In one command; a command is bounded in its size."""
MAX_NAMES = 1000
"""In one event; more are told in several."""

HostList = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,\[\]-]+$", min_length=1, max_length=65_536)]
"""Names of nodes as Slurm writes them: `cloud[1-3,7],gpu01`."""

NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
"""One node's name in Slurm, whatever machine is behind it."""

JobId = Annotated[int, Field(ge=0, le=2**32)]

Asker = frozenset({Role.OPERATOR, Role.SCHEDULER})


class NodeJob(Part):
    """A job and the nodes that it waits for."""

    job_id: JobId
    nodes: HostList


class AboutNodes(Command):
    """A command about nodes of a pool."""

    roles = Asker

    workspace: Identifier
    nodes: HostList
    asked_at: AwareDatetime
    """When Slurm asked: the command may come later, when the broker was away."""


class ResumeNodes(AboutNodes):
    """These nodes are wanted: Slurm's ResumeProgram, or a person. Whole jobs or nothing: a job whose nodes don't all fit the
    pool gets none of them."""

    type = "burst-scheduler.nodes.resume"

    jobs: Annotated[tuple[NodeJob, ...], Field(max_length=MAX_JOBS)] = ()
    """Which job waits for which of them; none when they were powered up by hand."""

    example = {
        "workspace": WORKSPACE,
        "nodes": "cloud[1-2]",
        "jobs": [{"job_id": 42, "nodes": "cloud[1-2]"}],
        "asked_at": "2026-11-21T10:00:00Z",
    }


class SuspendNodes(AboutNodes):
    """These nodes are no longer wanted: Slurm's SuspendProgram, or a person."""

    type = "burst-scheduler.nodes.suspend"

    example = {"workspace": WORKSPACE, "nodes": "cloud[1-2]", "asked_at": "2026-11-21T10:30:00Z"}


class GiveNodesUp(AboutNodes):
    """These nodes did not come up in time: Slurm's ResumeFailProgram. Slurm never suspends such nodes, so what was made for
    them goes."""

    type = "burst-scheduler.nodes.give-up"

    example = {"workspace": WORKSPACE, "nodes": "cloud2", "asked_at": "2026-11-21T10:05:00Z"}


class WantedNode(Part):
    """A node that is to be made."""

    name: NodeName
    generation: Generation
    """Counts the times that the node was wanted: what was made for an earlier one is not this node."""
    job_ids: tuple[JobId, ...] = ()


class NodesWanted(Event):
    """These nodes are to be made by the pool's provider; at most a thousand in one event."""

    type = "burst-scheduler.nodes.wanted"

    workspace: Identifier
    provider: Identifier
    role: Identifier
    nodes: Annotated[tuple[WantedNode, ...], Field(max_length=MAX_NAMES)]
    asked_at: AwareDatetime

    example = {
        "workspace": WORKSPACE,
        "provider": "local",
        "role": "compute",
        "nodes": [{"name": "cloud1", "generation": 3, "job_ids": [42]}],
        "asked_at": "2026-11-21T10:00:00Z",
    }


ReleaseReason = Literal["suspended", "gave-up", "pool-removed"]


class ReleasedNode(Part):
    """A node that is to go: everything that was made for this generation of it and earlier ones."""

    name: NodeName
    generation: Generation


class NodesReleased(Event):
    """These nodes are to go; at most a thousand in one event."""

    type = "burst-scheduler.nodes.released"

    workspace: Identifier
    provider: Identifier
    reason: ReleaseReason
    nodes: Annotated[tuple[ReleasedNode, ...], Field(max_length=MAX_NAMES)]

    example = {
        "workspace": WORKSPACE,
        "provider": "local",
        "reason": "suspended",
        "nodes": [{"name": "cloud1", "generation": 3}],
    }


class NodesRefused(Event):
    """These nodes were asked for and are not to be had; at most a thousand in one event."""

    type = "burst-scheduler.nodes.refused"

    workspace: Identifier
    nodes: Annotated[tuple[NodeName, ...], Field(max_length=MAX_NAMES)]
    job_ids: Annotated[tuple[JobId, ...], Field(max_length=MAX_JOBS)] = ()
    """The jobs that wait for them."""
    problem: Problem

    example = {
        "workspace": WORKSPACE,
        "nodes": ["cloud21"],
        "job_ids": [43],
        "problem": {"field": "nodes", "reason": "the pool has 20 nodes, and 20 of them are wanted", "remedy": ""},
    }


class NodeDemand(Part):
    """One node of the ledger."""

    name: NodeName
    state: Literal["wanted", "released", "given-up"]
    generation: Generation
    provider: Identifier
    """That makes it."""
    job_ids: tuple[JobId, ...] = ()
    since: datetime


class NodeList(Answer):
    """The ledger of a workspace's nodes on demand, by name."""

    type = "burst-scheduler.nodes.listed"

    nodes: tuple[NodeDemand, ...]

    example = {
        "nodes": [
            {
                "name": "cloud1",
                "state": "wanted",
                "generation": 3,
                "provider": "local",
                "job_ids": [42],
                "since": "2026-11-21T10:00:00Z",
            }
        ]
    }


class ListNodes(Query):
    """Which nodes of a workspace are wanted, and which were; `every`: those that are not wanted as well."""

    type = "burst-scheduler.nodes.list"
    answer = NodeList

    workspace: Identifier
    every: bool = False

    example = {"workspace": WORKSPACE, "every": False}


MESSAGES = (
    ResumeNodes,
    SuspendNodes,
    GiveNodesUp,
    NodesWanted,
    NodesReleased,
    NodesRefused,
    ListNodes,
    NodeList,
)
