"""Pieces that several of the provisioner's messages have."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

WorkspaceState = Literal["creating", "ready", "failed", "deleting", "deleted"]


class Part(BaseModel):
    """A piece of a message."""

    model_config = ConfigDict(extra="forbid", frozen=True)
