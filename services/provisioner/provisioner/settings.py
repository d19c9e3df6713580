"""The provisioner's settings."""

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Besides every service's own (`shared.settings`)."""

    poll_seconds: float = Field(default=3.0, gt=0)
    """How soon to look again at a server that is being built or deleted, should its notification not come."""
    concurrent_steps: int = Field(default=8, ge=1, le=64)
    """Calls of one workspace that may be under way at once."""
