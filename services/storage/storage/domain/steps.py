"""The calls that change the cloud, and plans of them, as values. `verb` names the call in intents, `marker` the thing it is about."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from contracts.envelope import Problem
from storage.domain.access import AccessRule
from storage.domain.observed import Recorded


@dataclass(frozen=True)
class Step:
    """One call; `field` is the place in the document that asked for it, for the problem if it is refused."""

    verb: ClassVar[str]
    is_repeatable: ClassVar[bool] = True
    """Whether making the call twice is the same as making it once."""
    marker: str
    field: str

    @property
    def told(self) -> str:
        """The step in words, for people."""
        noun, _, verb = self.verb.partition(".")
        return f"{verb} {noun} {self.marker}"


@dataclass(frozen=True)
class GrantRole(Step):
    """Gives the service's own user its role in the project, without which nothing can be made there."""

    verb = "role.grant"


@dataclass(frozen=True)
class SetLimits(Step):
    verb = "quota.set"
    service: str
    limits: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class ForgetLimits(Step):
    """Removes a service's record of the project's limits, which would outlive the project."""

    verb = "quota.delete"
    service: str


@dataclass(frozen=True)
class CreateShare(Step):
    verb = "share.create"
    is_repeatable = False
    name: str
    size_gib: int
    protocol: str
    share_type: str
    metadata: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ExtendShare(Step):
    verb = "share.extend"
    share_id: str
    size_gib: int


@dataclass(frozen=True)
class DeleteShare(Step):
    verb = "share.delete"
    share_id: str


@dataclass(frozen=True)
class AllowAccess(Step):
    """Manila refuses a second rule for the same subject, so that a repeated call does no harm."""

    verb = "access.allow"
    share_id: str
    rule: AccessRule


@dataclass(frozen=True)
class DenyAccess(Step):
    """`is_tightening`: nobody was ever told that this subject may use the share."""

    verb = "access.deny"
    share_id: str
    rule_id: str
    is_tightening: bool


@dataclass(frozen=True)
class CreateVolume(Step):
    verb = "volume.create"
    is_repeatable = False
    name: str
    size_gib: int
    volume_type: str | None
    metadata: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ExtendVolume(Step):
    verb = "volume.extend"
    volume_id: str
    size_gib: int


@dataclass(frozen=True)
class DeleteVolume(Step):
    """Only for a volume without attachments: an attachment is ended by Nova alone (CVE-2023-2088)."""

    verb = "volume.delete"
    volume_id: str


@dataclass
class Plan:
    """What to do about one project, and what to wait for."""

    steps: list[Step] = dataclasses.field(default_factory=list)
    """In the order in which they are to be made; each is good without the others."""
    waits: list[str] = dataclasses.field(default_factory=list)
    """What OpenStack is still busy with."""
    leftovers: list[str] = dataclasses.field(default_factory=list)
    """What no document wants any more and a server still has; goes when Nova has let go of it."""
    faults: list[Problem] = dataclasses.field(default_factory=list)
    """What went wrong in the cloud and is tried again a few times."""
    problems: list[Problem] = dataclasses.field(default_factory=list)
    """What no further try will change."""
    vanished: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """What was told of and is gone from the project, by kind and name in the cloud."""
    kept: dict[tuple[str, str], Recorded] = dataclasses.field(default_factory=dict)
    """What is there of what is wanted, to be recorded."""

    @property
    def is_settled(self) -> bool:
        """Whether everything wanted is there and usable, and nothing else may be used."""
        return not (self.steps or self.waits or self.faults or self.problems)

    def tightening(self) -> list[Step]:
        """The steps that only take away what nobody was ever given; these are made even when all else is given up."""
        return [step for step in self.steps if isinstance(step, DenyAccess) and step.is_tightening]
