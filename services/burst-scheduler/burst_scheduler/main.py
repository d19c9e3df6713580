"""The burst-scheduler service: `python -m burst_scheduler.main`."""

from datetime import timedelta

from burst_scheduler.handlers import Context, handlers
from burst_scheduler.settings import Settings
from shared.cloud import Cloud
from shared.service import run
from shared.settings import load_site


async def make_context(settings: Settings, cloud: Cloud | None) -> Context:
    """What the handlers are given. Raises Configuration when the site file is wrong."""
    return Context(load_site(settings.site_path), timedelta(seconds=settings.resume_patience_seconds))


def main() -> None:
    """Run until told to stop."""
    run(Settings, handlers, make_context)


if __name__ == "__main__":
    main()
