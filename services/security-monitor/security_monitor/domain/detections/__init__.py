"""Detections as data: rules in YAML, compiled once, judging what the audit log holds."""

from security_monitor.domain.detections.compiling import Compiled, compiled, rule_of
from security_monitor.domain.detections.judging import Found, Judgement, Over, Place, Remembered, RuleSet, due
from security_monitor.domain.detections.record import (
    Known,
    Node,
    Record,
    project_of,
    record_of_event,
    record_of_notification,
    server_of,
)
from security_monitor.domain.detections.rule import BadRule, RuleFile

__all__ = [
    "BadRule",
    "Compiled",
    "Found",
    "Judgement",
    "Known",
    "Node",
    "Over",
    "Place",
    "Record",
    "Remembered",
    "RuleFile",
    "RuleSet",
    "compiled",
    "due",
    "project_of",
    "record_of_event",
    "record_of_notification",
    "rule_of",
    "server_of",
]
