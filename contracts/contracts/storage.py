"""What storage is asked and tells: shares, volumes and who may use them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.chassis import chassis_messages
from contracts.envelope import Answer, Event, Problem, Query
from contracts.examples import WORKSPACE
from contracts.identifiers import Generation, Identifier, ResourceId, Text

OWNER = "storage"
CHASSIS = chassis_messages(OWNER)

NodeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=90)]
"""`<workspace>-<role>-<n>`."""
AccessRule = Annotated[str, StringConstraints(max_length=300)]
"""Who may use a share and how: `<kind>:<who> <level>`, such as `cephx:openhpc_login rw` or `ip:10.42.0.0/24 ro`."""


class Part(BaseModel):
    """A piece of a message."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadyShare(Part):
    """A share that can be mounted; its access key, where there is one, is never told here."""

    name: Identifier
    share_id: ResourceId
    protocol: Literal["CEPHFS", "NFS"]
    export_locations: tuple[str, ...]


class ReadyVolume(Part):
    """A volume and the node that it is for."""

    name: Identifier
    volume_id: ResourceId
    node: NodeName


class StorageReady(Event):
    """Shares, volumes and access are as the document says."""

    type = "storage.workspace.ready"

    workspace: Identifier
    generation: Generation
    shares: tuple[ReadyShare, ...]
    volumes: tuple[ReadyVolume, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "shares": [
            {
                "name": "home",
                "share_id": "6c8d0e2f-4a5b-4c6d-8e7f-8a9b0c1d2e06",
                "protocol": "CEPHFS",
                "export_locations": ["10.0.0.10:6789:/volumes/_nogroup/home"],
            }
        ],
        "volumes": [],
    }


class StorageFailed(Event):
    """Storage can't be made, kept or removed as asked; what exists stays until the document or the cloud changes."""

    type = "storage.workspace.failed"

    workspace: Identifier
    generation: Generation
    problems: tuple[Problem, ...]

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "problems": [{"field": "storage.shares.0", "reason": "share quota exceeded", "remedy": "raise the quota"}],
    }


class StorageReleased(Event):
    """A deleted workspace's shares and volumes are gone."""

    type = "storage.workspace.released"

    workspace: Identifier
    generation: Generation

    example = {"workspace": WORKSPACE, "generation": 2}


class AccessDrifted(Event):
    """Somebody may use a share that the document does not let, or the other way round; repaired when enforcing."""

    type = "storage.access.drifted"

    workspace: Identifier
    generation: Generation
    share: Identifier
    added: tuple[AccessRule, ...]
    """What is there and should not be."""
    removed: tuple[AccessRule, ...]
    """What should be there and is not."""
    repairing: bool

    example = {
        "workspace": WORKSPACE,
        "generation": 1,
        "share": "home",
        "added": ["cephx:mallory rw"],
        "removed": [],
        "repairing": True,
    }


class AccessRepaired(Event):
    """Who may use the share is as the document says again."""

    type = "storage.access.repaired"

    workspace: Identifier
    generation: Generation
    share: Identifier
    seconds_since_detection: Annotated[float, Field(ge=0)]

    example = {"workspace": WORKSPACE, "generation": 1, "share": "home", "seconds_since_detection": 1.2}


class SurplusLeft(Event):
    """A second share or volume of one name stays: it came of a call that was made again meanwhile, and something may be in it.

    Whoever keeps the workspace has to look: delete it, or keep it under another name. Told once.
    """

    type = "storage.surplus.left"

    workspace: Identifier
    kind: Literal["share", "volume"]
    resource_id: ResourceId
    name: Text
    reason: Text

    example = {
        "workspace": WORKSPACE,
        "kind": "volume",
        "resource_id": "6c8d0e2f-4a5b-4c6d-8e7f-8a9b0c1d2e07",
        "name": "openhpc-data-0",
        "reason": "it was changed after it was made, and may have been attached",
    }


class StorageShown(Answer):
    """What storage knows of a workspace; `making` until everything of the latest document is there."""

    type = "storage.workspace.shown"

    workspace: Identifier
    state: Literal["absent", "making", "ready", "failed", "releasing", "released"]
    generation: Annotated[int, Field(ge=0)] = 0
    """Of the document that the state is about."""
    shares: tuple[ReadyShare, ...] = ()
    volumes: tuple[ReadyVolume, ...] = ()
    problems: tuple[Problem, ...] = ()
    staleness_seconds: Annotated[float, Field(ge=0)] = 0.0
    """The bound on the age of what is known of access rules, of whose changes Manila tells nobody: the scan's period."""

    example = {"workspace": WORKSPACE, "state": "ready", "generation": 1, "staleness_seconds": 45.0}


class ShowStorage(Query):
    """A workspace's shares and volumes."""

    type = "storage.workspace.show"
    answer = StorageShown

    workspace: Identifier

    example = {"workspace": WORKSPACE}


MESSAGES = (
    StorageReady,
    StorageFailed,
    StorageReleased,
    AccessDrifted,
    AccessRepaired,
    SurplusLeft,
    ShowStorage,
    StorageShown,
    *CHASSIS,
)
