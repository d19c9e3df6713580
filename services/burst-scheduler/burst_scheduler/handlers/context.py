"""What every handler is given, and where handlers are registered."""

from dataclasses import dataclass
from datetime import timedelta

from contracts import burst_scheduler as messages
from contracts.site import Site
from shared.handlers import Handlers


@dataclass(frozen=True)
class Context:
    """One running burst-scheduler."""

    site: Site
    resume_patience: timedelta
    """How long ago Slurm may have asked for nodes that are made."""


handlers: Handlers[Context] = Handlers(messages)
