"""network-policy's settings."""

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Every service's own (`shared.settings`); `scan_seconds` is also the bound that `tresor isolation` shows."""

    quarantine_down_seconds: float = Field(default=180.0, ge=0, le=86_400)
    """How long ports are out of service when they come into quarantine: longer than connection tracking keeps a UDP
    flow (120 s in Linux), so that none which began before is left when they serve again."""
    history_days: float = Field(default=400.0, gt=0)
    """How long it is kept what groups, ports and networks were like; see `tresor isolation --at`."""
