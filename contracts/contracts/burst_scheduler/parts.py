"""What several of burst-scheduler's messages have."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of a message."""

    model_config = ConfigDict(extra="forbid", frozen=True)
