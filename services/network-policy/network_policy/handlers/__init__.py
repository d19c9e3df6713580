"""What network-policy does about which message.

lifecycle: the provisioner's events · hints: OpenStack's notifications and the timers · queries: the isolation shown ·
reconcile: one look at a workspace, by way of `enforcing` (groups, drift, proof) or `withdrawing`, or at the whole cloud
(`scanning`) · `effects`: single calls · `telling`: what the others are told of a look · quarantines, quarantining,
releasing: nothing in, nothing out, on command · policy_testing: tests that are kept with a workspace, or asked for ·
hygiene: groups that say nothing, too much, or the same again · prompt: what is repaired at once, `afterwards` and
`pace`: its confirmation · remembering, past: the history, and what is asked of it ·
planning, applying: what a document would change, and that on command
"""

from network_policy.handlers import (
    applying,
    hints,
    hygiene,
    lifecycle,
    past,
    planning,
    policy_testing,
    quarantines,
    queries,
    reconcile,
)
from network_policy.handlers.context import Context, handlers

__all__ = [
    "Context",
    "applying",
    "handlers",
    "hints",
    "hygiene",
    "lifecycle",
    "past",
    "planning",
    "policy_testing",
    "quarantines",
    "queries",
    "reconcile",
]
