"""The register of handlers, and what all of them are given."""

from dataclasses import dataclass
from typing import Literal

from contracts import storage as messages
from contracts.site import Site
from shared.handlers import Handlers
from storage.cloud import StorageCloud


@dataclass(frozen=True)
class Context:
    """One running storage service."""

    site: Site
    cloud: StorageCloud
    mode: Literal["observe", "enforce"]
    scan_seconds: float
    look_seconds: float
    retry_seconds: float
    attached_seconds: float


handlers: Handlers[Context] = Handlers(messages)
