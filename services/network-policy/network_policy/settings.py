"""network-policy's settings."""

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Every service's own (`shared.settings`); `scan_seconds` is also the bound that `tresor isolation` shows."""
