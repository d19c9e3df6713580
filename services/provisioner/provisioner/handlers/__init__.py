"""What the provisioner does about which message.

commands: create, delete · gates: the other services' events · queries: list, show, plan · hints: OpenStack's
notifications and the scan · admission, building, removing: the parts of one look at a workspace (`reconcile`)
"""

from provisioner.handlers import commands, gates, hints, queries, reconcile
from provisioner.handlers.context import Context, handlers

__all__ = ["Context", "commands", "gates", "handlers", "hints", "queries", "reconcile"]
