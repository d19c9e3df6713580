"""The twin's settings, from the environment (`TWIN_*`) or the command line."""

from pydantic_settings import BaseSettings, SettingsConfigDict

SERVICE_USERS = (
    "tresor-provisioner",
    "tresor-network-policy",
    "tresor-storage",
    "tresor-burst-scheduler",
    "tresor-security-monitor",
)


class TwinSettings(BaseSettings):
    """See `python -m twin.main --help`."""

    model_config = SettingsConfigDict(env_prefix="TWIN_", extra="ignore")

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free port."""
    amqp_url: str | None = None
    """Where notifications go; None keeps them for `/twin/notifications` only."""
    extra_topics: tuple[str, ...] = ()
    """Topics beside the standard ones, as with `topics = notifications,tresor` in a real deployment."""
    notifying_workers: int = 1
    """How many publish side by side to one exchange, as an API's workers do; with one all are in order."""
    seed: int = 1
    delay_scale: float = 1.0
    """Multiplies every asynchronous delay (boot, volume, share …)."""
    admin_password: str = "twin"
    service_password: str = "twin"
    token_lifetime_seconds: float = 86_400.0
    hypervisors: int = 3
    virtual_functions: int = 0
    """SR-IOV functions of each hypervisor, for direct ports; none, as with the lab's fake ones."""
    instances_quota: int = 5000
    cores_quota: int = 100_000
    ram_mib_quota: int = 100_000_000
    ready_file: str | None = None
    """Written with the base URL once the port is open."""
