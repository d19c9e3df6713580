"""Burst-scheduler's settings: those that every service has."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """From `TRESOR_…` variables or files of the secrets directory."""
