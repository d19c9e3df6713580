"""What the service remembers, in its own schema."""

from network_policy.store.changes import Change, change_of, forget_changes, is_own, note_change, workspaces_about
from network_policy.store.known import Known, OpenDrift, load, load_all
from network_policy.store.saving import (
    emptied,
    save_declared,
    save_deleting,
    save_group,
    save_networks,
    save_node,
    save_seen,
    save_told,
    save_verdict,
    set_suspect,
    withdrawn,
)

__all__ = [
    "Change",
    "Known",
    "OpenDrift",
    "change_of",
    "emptied",
    "forget_changes",
    "is_own",
    "load",
    "load_all",
    "note_change",
    "save_declared",
    "save_deleting",
    "save_group",
    "save_networks",
    "save_node",
    "save_seen",
    "save_told",
    "save_verdict",
    "set_suspect",
    "withdrawn",
    "workspaces_about",
]
