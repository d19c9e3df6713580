"""network-policy as a process: `python -m network_policy.main`."""

from network_policy.cloud import PolicyCloud
from network_policy.handlers import Context, handlers
from network_policy.handlers.model import Model
from network_policy.handlers.pace import Pace
from network_policy.settings import Settings
from shared.clock import SystemClock
from shared.cloud import Cloud
from shared.errors import Configuration
from shared.service import run
from shared.settings import load_site
from shared.turns import Turns


async def make_context(settings: Settings, cloud: Cloud | None) -> Context:
    """What the handlers use. Raises Configuration without a cloud."""
    if cloud is None:
        raise Configuration("network-policy needs a cloud: set TRESOR_CLOUD_NAME to an entry of clouds.yaml")
    clock, pace = SystemClock(), Pace()
    turns = Turns(clock, lambda: pace.is_lively(clock.now()))
    return Context(
        site=load_site(settings.site_path),
        cloud=PolicyCloud(cloud),
        is_enforcing=settings.mode == "enforce",
        scan_seconds=settings.scan_seconds,
        history_days=settings.history_days,
        quarantine_down_seconds=settings.quarantine_down_seconds,
        model=Model(turns.give_way),
        pace=pace,
    )


def main() -> None:
    """Run until told to stop."""
    run(Settings, handlers, make_context)


if __name__ == "__main__":
    main()
