"""What burst-scheduler is asked and tells: pools of nodes on demand, and the nodes."""

from contracts.burst_scheduler import nodes, pools
from contracts.burst_scheduler.nodes import (
    MAX_JOBS,
    MAX_NAMES,
    AboutNodes,
    GiveNodesUp,
    ListNodes,
    NodeDemand,
    NodeJob,
    NodeList,
    NodesRefused,
    NodesReleased,
    NodesWanted,
    ReleasedNode,
    ReleaseReason,
    ResumeNodes,
    SuspendNodes,
    WantedNode,
)
from contracts.burst_scheduler.pools import ListPools, Pool, PoolList, PoolReady, PoolRemoved
from contracts.chassis import chassis_messages

OWNER = "burst-scheduler"
CHASSIS = chassis_messages(OWNER)
MESSAGES = (*pools.MESSAGES, *nodes.MESSAGES, *CHASSIS)

__all__ = [
    "CHASSIS",
    "MAX_JOBS",
    "MAX_NAMES",
    "MESSAGES",
    "OWNER",
    "AboutNodes",
    "GiveNodesUp",
    "ListNodes",
    "ListPools",
    "NodeDemand",
    "NodeJob",
    "NodeList",
    "NodesRefused",
    "NodesReleased",
    "NodesWanted",
    "Pool",
    "PoolList",
    "PoolReady",
    "PoolRemoved",
    "ReleaseReason",
    "ReleasedNode",
    "ResumeNodes",
    "SuspendNodes",
    "WantedNode",
]
