"""What network-policy is asked and tells: groups and rules, the proof of isolation, drift and its repair."""

from contracts.chassis import chassis_messages
from contracts.network_policy import drift, isolation, policy
from contracts.network_policy.drift import DriftDetected, DriftRepaired, RuleDrift
from contracts.network_policy.isolation import (
    IsolationProven,
    IsolationShown,
    IsolationViolated,
    RoleReach,
    ShowIsolation,
    WorkspaceIsolation,
)
from contracts.network_policy.policy import PolicyEnforced, PolicyWithdrawn
from contracts.network_policy.rules import Counterexample, Part, Rule

OWNER = "network-policy"
CHASSIS = chassis_messages(OWNER)
MESSAGES = (
    *policy.MESSAGES,
    *isolation.MESSAGES,
    *drift.MESSAGES,
    *CHASSIS,
)

__all__ = [
    "CHASSIS",
    "MESSAGES",
    "OWNER",
    "Counterexample",
    "DriftDetected",
    "DriftRepaired",
    "IsolationProven",
    "IsolationShown",
    "IsolationViolated",
    "Part",
    "PolicyEnforced",
    "PolicyWithdrawn",
    "RoleReach",
    "Rule",
    "RuleDrift",
    "ShowIsolation",
    "WorkspaceIsolation",
]
