"""The provisioner's tables. Every function works in the caller's transaction."""

from provisioner.store.catalog import load_catalog, save_catalog
from provisioner.store.commands import (
    await_generation,
    awaited_by,
    drop_proposal,
    first_proposal,
    lock_prefixes,
    proposals_of,
    propose,
)
from provisioner.store.nodes import load_nodes, save_nodes, statuses_of
from provisioner.store.workspaces import (
    HistoryRow,
    documents_present,
    history_of,
    listed,
    load,
    names_present,
    of_project,
    of_server,
    remember,
    save,
)

__all__ = [
    "HistoryRow",
    "await_generation",
    "awaited_by",
    "documents_present",
    "drop_proposal",
    "first_proposal",
    "history_of",
    "listed",
    "load",
    "load_catalog",
    "load_nodes",
    "lock_prefixes",
    "names_present",
    "of_project",
    "of_server",
    "proposals_of",
    "propose",
    "remember",
    "save",
    "save_catalog",
    "save_nodes",
    "statuses_of",
]
