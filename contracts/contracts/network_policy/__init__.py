"""What network-policy is asked and tells: groups and rules, the proof of isolation, drift and its repair."""

from contracts.chassis import chassis_messages
from contracts.network_policy import drift, history, hygiene, isolation, plan, policy, policy_tests, ports, quarantine
from contracts.network_policy.drift import DriftDetected, DriftRepaired, RuleDrift
from contracts.network_policy.history import HistoryShown, OpenSpan, PastVerdict, RuleOrigin, ShowHistory
from contracts.network_policy.hygiene import GroupHygiene, HygieneRemark, HygieneShown, ShowHygiene
from contracts.network_policy.isolation import (
    IsolationProven,
    IsolationShown,
    IsolationViolated,
    RoleReach,
    ShowIsolation,
    WorkspaceIsolation,
)
from contracts.network_policy.plan import (
    ApplyPolicy,
    PacketChange,
    PlannedRule,
    PlanPolicy,
    PolicyApplied,
    PolicyPlanned,
    PolicyRefused,
    RolePlan,
)
from contracts.network_policy.policy import PolicyEnforced, PolicyWithdrawn
from contracts.network_policy.policy_tests import (
    KeptPolicyTest,
    PolicyTestFailed,
    PolicyTestPassed,
    PolicyTestResult,
    PolicyTestsRun,
    PolicyTestsShown,
    PutPolicyTests,
    RunPolicyTests,
    ShowPolicyTests,
)
from contracts.network_policy.ports import (
    Duplicate,
    DuplicateFound,
    DuplicatePort,
    DuplicateResolved,
    DuplicatesListed,
    ListDuplicates,
    RemoveDuplicate,
    SpuriousPort,
)
from contracts.network_policy.quarantine import (
    EvidenceKept,
    EvidenceShown,
    ListQuarantines,
    Quarantine,
    QuarantinesListed,
    QuarantineWorkspace,
    ReleaseWorkspace,
    ShowEvidence,
    WorkspaceQuarantined,
    WorkspaceReleased,
)
from contracts.network_policy.rules import Counterexample, Part, Rule

OWNER = "network-policy"
CHASSIS = chassis_messages(OWNER)
MESSAGES = (
    *policy.MESSAGES,
    *plan.MESSAGES,
    *isolation.MESSAGES,
    *drift.MESSAGES,
    *history.MESSAGES,
    *quarantine.MESSAGES,
    *ports.MESSAGES,
    *policy_tests.MESSAGES,
    *hygiene.MESSAGES,
    *CHASSIS,
)

__all__ = [
    "CHASSIS",
    "MESSAGES",
    "OWNER",
    "ApplyPolicy",
    "Counterexample",
    "DriftDetected",
    "DriftRepaired",
    "Duplicate",
    "DuplicateFound",
    "DuplicatePort",
    "DuplicateResolved",
    "DuplicatesListed",
    "EvidenceKept",
    "EvidenceShown",
    "GroupHygiene",
    "HistoryShown",
    "HygieneRemark",
    "HygieneShown",
    "IsolationProven",
    "IsolationShown",
    "IsolationViolated",
    "KeptPolicyTest",
    "ListDuplicates",
    "ListQuarantines",
    "OpenSpan",
    "PacketChange",
    "Part",
    "PastVerdict",
    "PlanPolicy",
    "PlannedRule",
    "PolicyApplied",
    "PolicyEnforced",
    "PolicyPlanned",
    "PolicyRefused",
    "PolicyTestFailed",
    "PolicyTestPassed",
    "PolicyTestResult",
    "PolicyTestsRun",
    "PolicyTestsShown",
    "PolicyWithdrawn",
    "PutPolicyTests",
    "Quarantine",
    "QuarantineWorkspace",
    "QuarantinesListed",
    "ReleaseWorkspace",
    "RemoveDuplicate",
    "RolePlan",
    "RoleReach",
    "Rule",
    "RuleDrift",
    "RuleOrigin",
    "RunPolicyTests",
    "ShowEvidence",
    "ShowHistory",
    "ShowHygiene",
    "ShowIsolation",
    "ShowPolicyTests",
    "SpuriousPort",
    "WorkspaceIsolation",
    "WorkspaceQuarantined",
    "WorkspaceReleased",
]
