"""The provisioner's door to OpenStack: Keystone, Nova, Neutron, Glance, Placement, and everybody's quotas."""

from provisioner.cloud.acting import Acting
from provisioner.cloud.offering import Offering
from provisioner.cloud.reading import Reading
from provisioner.domain.catalog import Catalog
from provisioner.domain.observed import Observed
from provisioner.domain.steps import Step
from shared.cloud import Cloud


class ProvisionerCloud:
    """What the provisioner reads and does in the cloud; raises `shared.errors.CloudError`."""

    def __init__(self, cloud: Cloud, domain: str, external_network: str | None, networks: tuple[str, ...]) -> None:
        """`domain` is the id or name of the projects' Keystone domain; `networks` are the site's existing ones."""
        self._reading = Reading(cloud, domain)
        self._acting = Acting(cloud, domain)
        self._offering = Offering(cloud, tuple(name for name in (external_network, *networks) if name))

    async def observe(
        self,
        workspace: str,
        project: str,
        project_id: str | None,
        *,
        server_ids: frozenset[str] = frozenset(),
        quota_services: tuple[str, ...] = (),
        with_role: bool = False,
    ) -> Observed:
        """The workspace's project as it is now.

        `server_ids` are servers that should be there: one that the list lacks is asked for by its id before it is
        taken to be gone. Quotas and the role are read only where asked for.
        """
        return await self._reading.observe(
            workspace, project, project_id, server_ids=server_ids, quota_services=quota_services, with_role=with_role
        )

    async def perform(self, step: Step, request_id: str) -> str | None:
        """Make the step's call; the id of what it made, if it made something. What is to go and is gone is fine."""
        return await self._acting.perform(step, request_id)

    async def find(self, step: Step) -> str | None:
        """What a creating step may have made when its answer was lost: looked up by name within the project."""
        return await self._reading.find(step)

    async def catalog(self) -> Catalog:
        """What the cloud offers to everybody."""
        return await self._offering.catalog()
