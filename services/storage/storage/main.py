"""The storage service: `python -m storage.main`."""

from shared.cloud import Cloud
from shared.errors import Configuration
from shared.service import run
from shared.settings import load_site
from storage.cloud import StorageCloud
from storage.handlers import Context, handlers
from storage.settings import Settings


async def make_context(settings: Settings, cloud: Cloud | None) -> Context:
    """What the handlers are given. Raises Configuration without a cloud, or with a wrong site file."""
    if cloud is None:
        raise Configuration("storage needs a cloud; set TRESOR_CLOUD_NAME")
    return Context(
        site=load_site(settings.site_path),
        cloud=StorageCloud(cloud, settings.project_role),
        mode=settings.mode,
        scan_seconds=settings.scan_seconds,
        look_seconds=settings.look_seconds,
        retry_seconds=settings.retry_seconds,
        attached_seconds=settings.attached_seconds,
    )


def main() -> None:
    """Run until told to stop."""
    run(Settings, handlers, make_context)


if __name__ == "__main__":
    main()
