"""A check's result."""

from dataclasses import dataclass
from typing import Literal

State = Literal["OK", "WARN", "FAIL", "SKIP"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    area: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    """What to do; empty when nothing is to be done."""
