"""What tells that a workspace should be looked at again, and what is answered about it."""

from typing import Literal

from contracts.envelope import Problem
from contracts.openstack import Notification
from contracts.storage import ReadyShare, ReadyVolume, ShowStorage, StorageShown
from shared.work import Work
from storage import store
from storage.domain.observed import Records
from storage.domain.state import State
from storage.handlers.late import hear_birth
from storage.handlers.register import Context, handlers

SHOWN: dict[State, Literal["making", "ready", "failed", "releasing", "released"]] = {
    State.WAITING: "making",
    State.MAKING: "making",
    State.READY: "ready",
    State.FAILED: "failed",
    State.STOPPING: "releasing",
    State.RELEASING: "releasing",
    State.RELEASED: "released",
}


@handlers.notified("volume", "share")
async def on_storage_changed(seen: Notification, tx: Work[Context]) -> None:
    """A share or volume of a workspace's project changed: what it is now, the API tells."""
    project_id = seen.payload.owner_project_id or seen.project_id
    workspace = await store.of_project(tx.connection, project_id) if project_id else None
    if workspace is not None:
        await hear_birth(seen, tx)
        tx.reconcile(workspace)


@handlers.every(lambda context: context.scan_seconds, is_scan=True)
async def scan(tx: Work[Context]) -> None:
    """Look at everything: of access rules Manila tells nobody (fact 5), so that this period bounds what goes unseen."""
    for workspace in await store.kept(tx.connection):
        tx.reconcile(workspace)


@handlers.answer(ShowStorage)
async def show(query: ShowStorage, tx: Work[Context]) -> StorageShown:
    """A workspace's shares and volumes as they are on record."""
    known = await store.load(tx.connection, query.workspace)
    staleness_seconds = tx.context.scan_seconds
    if known is None:
        return StorageShown(workspace=query.workspace, state="absent", staleness_seconds=staleness_seconds)
    records = await store.records(tx.connection, query.workspace)
    waits: tuple[Problem, ...] = ()
    if known.state is State.WAITING:
        waits = (Problem(reason=f"waiting for the proof of isolation of generation {known.generation}"),)
    return StorageShown(
        workspace=query.workspace,
        state=SHOWN[known.state],
        generation=known.tells_of,
        shares=shares_told(records),
        volumes=volumes_told(records),
        problems=known.problems or waits,
        staleness_seconds=staleness_seconds,
    )


def shares_told(records: Records) -> tuple[ReadyShare, ...]:
    """The shares on record, by name, as messages tell them."""
    return tuple(
        ReadyShare.model_validate(
            {
                "name": each.name,
                "share_id": each.resource_id,
                "protocol": each.protocol,
                "export_locations": each.export_locations,
            }
        )
        for each in sorted(records.values(), key=lambda each: each.cloud_name)
        if each.kind == "share"
    )


def volumes_told(records: Records) -> tuple[ReadyVolume, ...]:
    """The volumes on record, by name, as messages tell them."""
    return tuple(
        ReadyVolume(name=each.name, volume_id=each.resource_id, node=each.node)
        for each in sorted(records.values(), key=lambda each: each.cloud_name)
        if each.kind == "volume"
    )
