"""What Manila and Cinder say there is in one project, and what storage has recorded of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from storage.domain import names
from storage.domain.access import ObservedRule


@dataclass(frozen=True)
class ObservedShare:
    """A share as Manila has it; its access rules come without keys."""

    share_id: str
    name: str
    size_gib: int
    protocol: str
    share_type: str
    status: str
    created_at: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    export_locations: tuple[str, ...] = ()
    rules: tuple[ObservedRule, ...] = ()
    is_blank: bool = True
    """Whether it was made of nothing: of no snapshot and no backup."""

    @property
    def resource_id(self) -> str:
        return self.share_id


@dataclass(frozen=True)
class ObservedVolume:
    """A volume as Cinder has it; `attached_to` are server ids."""

    volume_id: str
    name: str
    size_gib: int
    volume_type: str
    status: str
    created_at: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    attached_to: tuple[str, ...] = ()
    is_blank: bool = True
    """Whether it was made of nothing: of no snapshot, other volume or image."""
    updated_at: str = ""
    """Of its latest change of any kind; an attachment and its end are two."""

    @property
    def resource_id(self) -> str:
        return self.volume_id


@dataclass(frozen=True)
class Observed:
    """Everything in one project; `limits` by service, None where they were not asked for."""

    shares: tuple[ObservedShare, ...] = ()
    volumes: tuple[ObservedVolume, ...] = ()
    limits: Mapping[str, Mapping[str, int]] | None = None


@dataclass(frozen=True)
class Recorded:
    """A share or volume that storage knows by id; told means that StorageReady has named it, so that it may hold data."""

    kind: str
    cloud_name: str
    name: str
    resource_id: str
    size_gib: int
    node: str = ""
    protocol: str = ""
    export_locations: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    """The rules that were last told, as printed."""
    is_told: bool = False


Records = Mapping[tuple[str, str], Recorded]
"""By kind (`share`, `volume`) and name in the cloud."""


def is_ours(thing: ObservedShare | ObservedVolume, workspace: str, recorded_ids: frozenset[str]) -> bool:
    """Whether it belongs to the workspace: its id is on record, or its name and metadata both say so.

    The second finds what was made by a call whose answer was lost; the caller has asked for this one project only.
    """
    marked = thing.metadata.get(names.WORKSPACE_KEY) == workspace and thing.name.startswith(f"{workspace}-")
    return marked or thing.resource_id in recorded_ids


def kind_of(thing: ObservedShare | ObservedVolume) -> str:
    """`share` or `volume`."""
    return "share" if isinstance(thing, ObservedShare) else "volume"


def printable(text: str) -> str:
    """OpenStack's words as part of a sentence: printable, bounded."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)[:255]
