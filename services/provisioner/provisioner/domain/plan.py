"""Goals and plans: everything that must be so, whether it is, and what brings it nearer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.envelope import Problem
from contracts.site import Site
from contracts.workspace import Workspace
from provisioner.domain.catalog import Catalog
from provisioner.domain.nodes import NodeRecord
from provisioner.domain.steps import Step


@dataclass(frozen=True)
class Goal:
    """One thing that must be so. Not met and without a step, it waits for another goal or for somebody else."""

    kind: str
    name: str
    is_met: bool
    step: Step | None = None
    waits: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Plan:
    """Goals in the order in which they are to be reached, and what stands against reaching them."""

    goals: tuple[Goal, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """What can be done at once: these steps do not need one another's results."""
        return tuple(goal.step for goal in self.goals if goal.step is not None and not goal.is_met)

    @property
    def done(self) -> int:
        return sum(goal.is_met for goal in self.goals)

    @property
    def total(self) -> int:
        return len(self.goals)

    @property
    def is_complete(self) -> bool:
        return self.done == self.total

    @property
    def waits(self) -> tuple[str, ...]:
        """What the plan waits for, each once, in the order of the goals."""
        return tuple(dict.fromkeys(goal.waits for goal in self.goals if not goal.is_met and goal.waits))


@dataclass(frozen=True)
class Custody:
    """A quarantine in force: of the whole workspace, of one role, or of one node by its name."""

    quarantine_id: str
    role: str | None = None
    node: str | None = None

    def covers(self, node: str, role: str) -> bool:
        """Whether the node is evidence."""
        return node == self.node if self.node is not None else self.role in (None, role)


@dataclass(frozen=True)
class Gates:
    """What the other services have told of a workspace, each with the generation it was told for; quarantines besides."""

    policy_generation: int = 0
    groups: Mapping[str, str] = field(default_factory=dict)
    """The security group of each role."""
    storage_generation: int = 0
    volumes: tuple[tuple[str, str, str], ...] = ()
    """Name, id and node of each volume."""
    withdrawn_generation: int = 0
    released_generation: int = 0
    pool_removed_generation: int = 0
    cleared_generation: int = 0
    """The deletion that network-policy has let begin."""
    custody: tuple[Custody, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A workspace as it is to be, with all that the plan rests on besides the cloud's present state."""

    document: Workspace
    generation: int
    site: Site
    catalog: Catalog
    gates: Gates = field(default_factory=Gates)
    nodes: tuple[NodeRecord, ...] = ()
    network_ids: Mapping[str, str] = field(default_factory=dict)
    """Recorded ids of the networks, by the document's names."""
    is_prepared: bool = False
    """Role and quotas were set for this generation: they are not read again."""

    @property
    def is_permitted(self) -> bool:
        """The policy of this generation is enforced and its storage is ready: ports and servers may be born."""
        gates = self.gates
        return gates.policy_generation == self.generation and gates.storage_generation == self.generation
