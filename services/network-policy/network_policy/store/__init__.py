"""What the service remembers, in its own schema."""

from network_policy.store.changes import Change, change_of, forget_changes, is_own, note_change, workspaces_about
from network_policy.store.known import Known, OpenDrift, load, load_all
from network_policy.store.prompt import (
    Keeper,
    PromptRepair,
    begin_prompt,
    end_prompt,
    explained,
    forget_prompt,
    keepers,
    prompt_repairs,
)
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
    "Keeper",
    "Known",
    "OpenDrift",
    "PromptRepair",
    "begin_prompt",
    "change_of",
    "emptied",
    "end_prompt",
    "explained",
    "forget_changes",
    "forget_prompt",
    "is_own",
    "keepers",
    "load",
    "load_all",
    "note_change",
    "prompt_repairs",
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
