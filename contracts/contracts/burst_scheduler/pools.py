"""Pools: which workspace may have how many more nodes, from where, for how much."""

from typing import Annotated

from pydantic import Field

from contracts.burst_scheduler.parts import Part
from contracts.envelope import Answer, Event, Query
from contracts.examples import WORKSPACE
from contracts.identifiers import Generation, Identifier


class PoolReady(Event):
    """A workspace's pool is registered: from here demand may wake nodes, within the budget."""

    type = "burst-scheduler.pool.ready"

    workspace: Identifier
    generation: Generation
    role: Identifier
    provider: Identifier
    max_nodes: Annotated[int, Field(ge=1)]
    budget_per_month: Annotated[float, Field(ge=0)]
    """In the site's currency."""

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "role": "compute",
        "provider": "local",
        "max_nodes": 20,
        "budget_per_month": 500.0,
    }


class PoolRemoved(Event):
    """A workspace takes no more demand: it is being deleted, or its document has no burst section any more.

    Told for every deleted workspace whose document had a burst section, also when its pool was never registered.
    """

    type = "burst-scheduler.pool.removed"

    workspace: Identifier
    generation: Generation

    example = {"workspace": WORKSPACE, "generation": 2}


class Pool(Part):
    """One workspace's pool; money in the site's currency."""

    workspace: Identifier
    role: Identifier
    provider: Identifier
    max_nodes: int
    budget_per_month: float
    spent_this_month: float
    nodes: int
    """That are wanted at this moment."""


class PoolList(Answer):
    """The pools that take demand, by workspace."""

    type = "burst-scheduler.pools.listed"

    pools: tuple[Pool, ...]

    example = {"pools": []}


class ListPools(Query):
    """Every pool with what it has used."""

    type = "burst-scheduler.pools.list"
    answer = PoolList

    example = {}


MESSAGES = (PoolReady, PoolRemoved, ListPools, PoolList)
