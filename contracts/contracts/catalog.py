"""All messages of all owners. For what must know every one: the schemas, the command line, the audit log."""

from contracts import burst_scheduler, network_policy, provisioner, security_monitor, storage
from contracts.envelope import Message

OWNERS = (provisioner, network_policy, storage, burst_scheduler, security_monitor)

MESSAGES: dict[str, type[Message]] = {message.type: message for owner in OWNERS for message in owner.MESSAGES}
