"""Documents, sites and a cloud of plain values for storage's tests."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from contracts.examples import DOCUMENT, PROJECT_ID, WORKSPACE
from contracts.site import Site
from contracts.workspace import Workspace
from storage.domain.access import AccessRule, ObservedRule
from storage.domain.observed import Observed, ObservedShare, ObservedVolume, Recorded
from storage.domain.steps import (
    AllowAccess,
    CreateShare,
    CreateVolume,
    DeleteShare,
    DeleteVolume,
    DenyAccess,
    ExtendShare,
    ExtendVolume,
    SetLimits,
    Step,
)

SITE = Site(name="test-site", share_types={"CEPHFS": "cephfs", "NFS": "nfs"}, volume_type="lab")
PROJECT = PROJECT_ID
NAME = WORKSPACE


def document(**changes: Any) -> Workspace:
    """The demo's document with one volume a compute node; `changes` replace whole sections."""
    made = copy.deepcopy(DOCUMENT)
    made["storage"]["volumes"] = [{"name": "data", "size_gib": 10, "role": "compute"}]
    made.update(changes)
    return Workspace.model_validate(made)


def shares(*given: Mapping[str, Any]) -> Workspace:
    """A document with these shares and no volumes."""
    return document(storage={"shares": list(given)})


class PlainCloud:
    """What the steps do to one project, with nothing asynchronous: one `settle` ends what is under way."""

    def __init__(self, observed: Observed | None = None) -> None:
        self.shares = {share.share_id: share for share in (observed or Observed()).shares}
        self.volumes = {volume.volume_id: volume for volume in (observed or Observed()).volumes}
        self.limits: dict[str, dict[str, int]] = {"share": {}, "volume": {}}
        self.made: list[Step] = []
        self._count = 0

    def observe(self) -> Observed:
        return Observed(tuple(self.shares.values()), tuple(self.volumes.values()), self.limits)

    def _next(self) -> str:
        self._count += 1
        return f"new-{self._count}"

    def settle(self) -> None:
        """Everything asynchronous ends well."""
        for share_id, share in list(self.shares.items()):
            if share.status == "deleting":
                del self.shares[share_id]
                continue
            rules = tuple(
                replace(rule, state="active" if rule.state != "error" else "error")
                for rule in share.rules
                if rule.is_live
            )
            status = "available" if share.status in ("creating", "extending") else share.status
            self.shares[share_id] = replace(share, status=status, rules=rules)
        for volume_id, volume in list(self.volumes.items()):
            if volume.status == "deleting":
                del self.volumes[volume_id]
            elif volume.status in ("creating", "extending"):
                self.volumes[volume_id] = replace(volume, status="available")

    def make(self, step: Step) -> str | None:
        self.made.append(step)
        match step:
            case CreateShare():
                made = self._next()
                self.shares[made] = ObservedShare(
                    made,
                    step.name,
                    step.size_gib,
                    step.protocol,
                    step.share_type,
                    "creating",
                    made,
                    dict(step.metadata),
                )
                return made
            case CreateVolume():
                made = self._next()
                self.volumes[made] = ObservedVolume(
                    made, step.name, step.size_gib, step.volume_type or "lab", "creating", made, dict(step.metadata)
                )
                return made
            case ExtendShare():
                share = self.shares[step.share_id]
                self.shares[step.share_id] = replace(share, size_gib=step.size_gib, status="extending")
            case ExtendVolume():
                volume = self.volumes[step.volume_id]
                self.volumes[step.volume_id] = replace(volume, size_gib=step.size_gib)
            case DeleteShare():
                self.shares[step.share_id] = replace(self.shares[step.share_id], status="deleting")
            case DeleteVolume():
                assert not self.volumes[step.volume_id].attached_to
                self.volumes[step.volume_id] = replace(self.volumes[step.volume_id], status="deleting")
            case AllowAccess():
                self._allow(step)
            case DenyAccess():
                share = self.shares[step.share_id]
                rules = tuple(
                    replace(rule, state="denying") if rule.rule_id == step.rule_id else rule for rule in share.rules
                )
                self.shares[step.share_id] = replace(share, rules=rules)
            case SetLimits():
                self.limits[step.service] = dict(step.limits)
        return None

    def _allow(self, step: AllowAccess) -> None:
        share = self.shares[step.share_id]
        assert share.status == "available", "Manila takes a rule only for an available share"
        subjects = {(rule.rule.kind, rule.rule.to) for rule in share.rules}
        assert (step.rule.kind, step.rule.to) not in subjects, "Manila takes one rule for a subject"
        added = ObservedRule(self._next(), step.rule, "queued_to_apply")
        self.shares[step.share_id] = replace(share, rules=(*share.rules, added))


def share(name: str = "home", **fields: Any) -> ObservedShare:
    """A share of the demo's workspace as Manila has it once it is ready."""
    made: dict[str, Any] = {
        "share_id": f"{name}-id",
        "name": f"{NAME}-{name}",
        "size_gib": 100,
        "protocol": "CEPHFS",
        "share_type": "cephfs",
        "status": "available",
        "created_at": "2026-01-01",
        "metadata": {"tresor_workspace": NAME},
    }
    return ObservedShare(**{**made, **fields})


def volume(name: str = "data-0", **fields: Any) -> ObservedVolume:
    """A volume of the demo's workspace as Cinder has it once it is ready."""
    made: dict[str, Any] = {
        "volume_id": f"{name}-id",
        "name": f"{NAME}-{name}",
        "size_gib": 10,
        "volume_type": "lab",
        "status": "available",
        "created_at": "2026-01-01",
        "metadata": {"tresor_workspace": NAME},
    }
    return ObservedVolume(**{**made, **fields})


def rule(to: str, level: str = "rw", state: str = "active", kind: str = "cephx") -> ObservedRule:
    """An access rule as Manila has it."""
    return ObservedRule(f"rule-{to}", AccessRule(kind, to, level), state)


def told(thing: ObservedShare | ObservedVolume, *access: str) -> Recorded:
    """The record of a share or volume that StorageReady has named."""
    kind = "share" if isinstance(thing, ObservedShare) else "volume"
    name = thing.name.removeprefix(f"{NAME}-")
    return Recorded(kind, thing.name, name, thing.resource_id, thing.size_gib, access=access, is_told=True)
