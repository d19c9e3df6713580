"""The provisioner as a process: `python -m provisioner.main`."""

from provisioner.cloud import ProvisionerCloud
from provisioner.handlers import Context, handlers
from provisioner.settings import Settings
from shared.cloud import Cloud
from shared.errors import Configuration
from shared.service import run
from shared.settings import load_site


async def make_context(settings: Settings, cloud: Cloud | None) -> Context:
    """What the handlers use. Raises Configuration without a cloud."""
    if cloud is None:
        raise Configuration("the provisioner needs a cloud: set TRESOR_CLOUD_NAME to an entry of clouds.yaml")
    site = load_site(settings.site_path)
    return Context(
        site=site,
        cloud=ProvisionerCloud(cloud, site.domain, site.external_network, tuple(sorted(site.networks.values()))),
        is_enforcing=settings.mode == "enforce",
        scan_seconds=settings.scan_seconds,
        poll_seconds=settings.poll_seconds,
        concurrent_steps=settings.concurrent_steps,
    )


def main() -> None:
    """Run until told to stop."""
    run(Settings, handlers, make_context)


if __name__ == "__main__":
    main()
