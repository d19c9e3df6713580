"""A workspace as the provisioner keeps it between two looks."""

from dataclasses import dataclass, field
from datetime import datetime

from contracts.envelope import Problem
from contracts.provisioner import ReadyNetwork, WorkspaceState
from contracts.workspace import Workspace
from provisioner.domain.nodes import NodeRecord
from provisioner.domain.plan import Gates


@dataclass(frozen=True)
class Record:
    """`…_generation` is the generation for which something was last done or told; 0: never."""

    name: str
    generation: int
    state: WorkspaceState
    document: Workspace
    holder: str
    """Who gave the command that this generation comes from."""
    begun_at: datetime
    project_id: str | None = None
    prepared_generation: int = 0
    declared_generation: int = 0
    networked_generation: int = 0
    ready_generation: int = 0
    emptied_generation: int = 0
    are_quotas_forgotten: bool = False
    gates: Gates = field(default_factory=Gates)
    networks: tuple[ReadyNetwork, ...] = ()
    problems: tuple[Problem, ...] = ()
    step: str = ""
    done: int = 0
    total: int = 0

    @property
    def is_present(self) -> bool:
        """It was not deleted."""
        return self.state != "deleted"


@dataclass(frozen=True)
class Proposal:
    """A document that was asked for and not yet admitted."""

    workspace: str
    document: Workspace
    command_id: str
    holder: str
    proposed_at: datetime


Nodes = tuple[NodeRecord, ...]
