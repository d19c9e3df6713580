"""Storage's settings, beside every service's."""

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """From `TRESOR_…` variables or files of the secrets directory."""

    project_role: str = Field(default="member", min_length=1, max_length=255)
    """The Keystone role that the service gives its own user in a workspace's project, to make shares and volumes there."""
    look_seconds: float = Field(default=1.5, gt=0)
    """How soon to look again at what OpenStack is busy with, where no notification comes earlier."""
    retry_seconds: float = Field(default=2.0, gt=0)
    """Before what the cloud refused is tried again; twice as long each time, five times at the most."""
    attached_seconds: float = Field(default=120.0, gt=0)
    """How long a volume of an emptied workspace may stay attached before that is told as a problem (CVE-2023-2088)."""
