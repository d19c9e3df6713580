"""Every kind of finding; importing this room enters them all."""

from network_policy.domain.audit.finding import register
from network_policy.domain.audit.kinds import exposure, groups, networks, platform, ports

ROOMS = (exposure, ports, networks, groups, platform)
KINDS = tuple(register.kinds.values())

__all__ = ["KINDS", "ROOMS"]
