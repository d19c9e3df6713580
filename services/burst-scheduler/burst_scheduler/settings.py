"""Burst-scheduler's settings."""

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """From `TRESOR_…` variables or files of the secrets directory."""

    resume_patience_seconds: float = Field(default=600.0, gt=0)
    """How long after Slurm asked for a node it may still be made; Slurm's own ResumeTimeout, or more."""
