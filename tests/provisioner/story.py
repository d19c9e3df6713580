"""A workspace's life without a broker, a database or a cloud: the very domain, driven as the handlers drive it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.envelope import Event
from contracts.examples import DOCUMENT
from contracts.network_policy import DeletionCleared, PolicyEnforced, PolicyWithdrawn
from contracts.site import Site
from contracts.storage import ReadyVolume, StorageReady, StorageReleased
from contracts.workspace import Workspace
from provisioner.domain import life, looking
from provisioner.domain.catalog import Catalog, ExistingNetwork, Flavor, Image
from provisioner.domain.record import Nodes, Proposal, Record
from tests.provisioner.model import ModelCloud, RefusedError

SITE = Site.model_validate(
    {
        "name": "tests",
        "external_network": "public",
        "share_types": {"CEPHFS": "cephfs"},
        "vlan_physical_network": "physnet1",
        "vlan_ids": ["300-399"],
    }
)
CATALOG = Catalog(
    flavors=(
        Flavor(id="f1", name="tre.small", cores=1, ram_mib=512, disk_gib=1),
        Flavor(id="f2", name="tre.large", cores=4, ram_mib=4096, disk_gib=10),
        Flavor(id="f3", name="bm", cores=1, ram_mib=512, disk_gib=1, resource_class="CUSTOM_BAREMETAL"),
    ),
    images=(Image(id="i1", name="tiny"), Image(id="i2", name="big", min_disk_gib=8, min_ram_mib=2048)),
    networks=(
        ExistingNetwork(id="n0", name="public", is_external=True, is_shared=False, subnets={"s0": "172.24.0.0/16"}),
    ),
    bare_metal={"CUSTOM_BAREMETAL": 2},
)
BEGUN = datetime(2026, 11, 21, 10, tzinfo=UTC)


def document(**changed: Any) -> Workspace:
    """The demo's workspace, differing in what is given."""
    return Workspace.model_validate({**DOCUMENT, **changed})


def role(**changed: Any) -> dict[str, Any]:
    return {"count": 1, "flavor": "tre.small", "image": "tiny", "networks": ["cluster"], **changed}


TWO = [role(name="login"), role(name="compute", count=2)]


@dataclass
class Story:
    """One workspace, its cloud, and everything that was told."""

    record: Record | None = None
    nodes: Nodes = ()
    cloud: ModelCloud = field(default_factory=ModelCloud)
    told: list[Event] = field(default_factory=list)
    now: datetime = BEGUN
    groups: dict[str, str] = field(default_factory=dict)
    volumes: tuple[ReadyVolume, ...] = ()

    def create(self, wanted: Workspace) -> None:
        self.record = life.accept(self.record, Proposal(wanted.name, wanted, "c", "ana", self.now))
        self.nodes = life.renewed(self.nodes)

    def delete(self) -> None:
        assert self.record is not None
        decision = life.delete(self.record, "ana", self.now)
        self.record = decision.record
        self.told += decision.events

    def look(self) -> looking.Look:
        """One look, and what the handlers do with it."""
        assert self.record is not None
        self.now += timedelta(seconds=1)
        seen = self.cloud.observe()
        if self.record.state == "deleting":
            look = looking.removing(self.record, self.nodes, seen)
        else:
            look = looking.building(self.record, self.nodes, SITE, CATALOG, seen, self.now)
        self.record, self.nodes = look.record, look.nodes
        self.told += look.events
        return look

    def step(self, at_most: int = 1000) -> int:
        """One look and its steps, as many as given; returns how many there were."""
        if self.record is None or self.record.state in ("failed", "deleted"):
            return 0
        look = self.look()
        for step in look.plan.steps[:at_most]:
            try:
                self.cloud.perform(step)
            except RefusedError:
                break
            if step.verb == "quota.delete" and not self.cloud.quotas:
                self.record = replace(self.record, are_quotas_forgotten=True)
        return len(look.plan.steps)

    def policy(self) -> None:
        """network-policy tells what fits the present state."""
        assert self.record is not None
        if self.record.state == "deleting":
            seen = PolicyWithdrawn(workspace=self.record.name, generation=self.record.generation)
            self.record = life.withdrawn(self.record, seen) or self.record
            self.clear()
        elif self.record.networked_generation == self.record.generation:
            self.groups = {each.name: f"g-{each.name}" for each in self.record.document.roles}
            self.record = life.enforced(self.record, self.enforced(self.record.generation)) or self.record

    def clear(self) -> None:
        """network-policy says that no quarantine stands in the deletion's way."""
        assert self.record is not None
        leave = DeletionCleared(workspace=self.record.name, generation=self.record.generation)
        self.record = life.cleared(self.record, leave) or self.record

    def enforced(self, generation: int) -> PolicyEnforced:
        assert self.record is not None
        return PolicyEnforced(
            workspace=self.record.name,
            generation=generation,
            project_id="p",
            groups=self.groups or {"login": "g"},
            rules=1,
            proof="sha256:" + "a" * 64,
            assumptions=(),
        )

    def storage(self) -> None:
        """storage tells what fits the present state."""
        assert self.record is not None
        name, generation = self.record.name, self.record.generation
        if self.record.state == "deleting":
            if self.record.emptied_generation == generation:
                released = StorageReleased(workspace=name, generation=generation)
                self.record = life.released(self.record, released) or self.record
        elif self.record.networked_generation == generation:
            ready = StorageReady(workspace=name, generation=generation, shares=(), volumes=self.volumes)
            self.record = life.stored(self.record, ready) or self.record

    def run(self, rounds: int = 60) -> None:
        """Everybody does their part until nothing is left to do."""
        for _ in range(rounds):
            assert self.record is not None
            if self.record.state in ("failed", "deleted"):
                return
            self.step()
            self.policy()
            self.storage()
            self.cloud.settle()

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]


def ready(**changed: object) -> Story:
    """A workspace of three nodes, or as given, that became ready."""
    story = Story()
    story.create(document(**{"roles": TWO, **changed}))
    story.run()
    assert story.record is not None
    assert story.record.state == "ready"
    return story
