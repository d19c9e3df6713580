"""The messages that every service has of its own: one class a service and kind, made from the envelope's."""

from dataclasses import dataclass

from contracts.approvals import (
    ApprovalsListed,
    ApproveCommand,
    CommandApproved,
    CommandWaiting,
    DenyCommand,
    ListApprovals,
)
from contracts.envelope import Message
from contracts.outbox import AcknowledgeEvents, OutboxHead, ResendEvents
from contracts.outcome import (
    CommandAccepted,
    CommandApplied,
    CommandFailed,
    CommandRejected,
    EffectRecorded,
    InputRefused,
    MessageParked,
    NotificationsDropped,
    NotificationsRecovered,
)
from contracts.parked import (
    DropParked,
    ListParked,
    ListRefused,
    ParkedDropped,
    ParkedListed,
    ParkedReplayed,
    RefusedListed,
    ReplayParked,
)


@dataclass(frozen=True)
class ChassisMessages:
    """One service's own classes of the messages that the chassis sends and takes for it."""

    accepted: type[CommandAccepted]
    applied: type[CommandApplied]
    rejected: type[CommandRejected]
    failed: type[CommandFailed]
    effect: type[EffectRecorded]
    refused: type[InputRefused]
    parked: type[MessageParked]
    unheard: type[NotificationsDropped]
    recovered: type[NotificationsRecovered]
    head: type[OutboxHead]
    resend: type[ResendEvents]
    acknowledge: type[AcknowledgeEvents]
    waiting: type[CommandWaiting]
    approved: type[CommandApproved]
    approve: type[ApproveCommand]
    deny: type[DenyCommand]
    approvals_listed: type[ApprovalsListed]
    list_approvals: type[ListApprovals]
    replay: type[ReplayParked]
    drop: type[DropParked]
    replayed: type[ParkedReplayed]
    dropped: type[ParkedDropped]
    parked_listed: type[ParkedListed]
    list_parked: type[ListParked]
    refused_listed: type[RefusedListed]
    list_refused: type[ListRefused]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(vars(self).values())


SUFFIXES: dict[str, tuple[type[Message], str]] = {
    "accepted": (CommandAccepted, "command.accepted"),
    "applied": (CommandApplied, "command.applied"),
    "rejected": (CommandRejected, "command.rejected"),
    "failed": (CommandFailed, "command.failed"),
    "effect": (EffectRecorded, "effect.recorded"),
    "refused": (InputRefused, "input.refused"),
    "parked": (MessageParked, "message.parked"),
    "unheard": (NotificationsDropped, "notifications.dropped"),
    "recovered": (NotificationsRecovered, "notifications.recovered"),
    "head": (OutboxHead, "outbox.head"),
    "resend": (ResendEvents, "outbox.resend"),
    "acknowledge": (AcknowledgeEvents, "outbox.acknowledge"),
    "waiting": (CommandWaiting, "command.waiting"),
    "approved": (CommandApproved, "command.approved"),
    "approve": (ApproveCommand, "command.approve"),
    "deny": (DenyCommand, "command.deny"),
    "approvals_listed": (ApprovalsListed, "approvals.listed"),
    "list_approvals": (ListApprovals, "approvals.list"),
    "replay": (ReplayParked, "message.replay"),
    "drop": (DropParked, "message.drop"),
    "replayed": (ParkedReplayed, "message.replayed"),
    "dropped": (ParkedDropped, "message.dropped"),
    "parked_listed": (ParkedListed, "parked.listed"),
    "list_parked": (ListParked, "parked.list"),
    "refused_listed": (RefusedListed, "refused.listed"),
    "list_refused": (ListRefused, "refused.list"),
}


def chassis_messages(owner: str) -> ChassisMessages:
    """The chassis' messages with `owner`'s prefix in their types."""
    made = {
        name: type(
            parent.__name__, (parent,), {"type": f"{owner}.{suffix}", "__module__": __name__, "__doc__": parent.__doc__}
        )
        for name, (parent, suffix) in SUFFIXES.items()
    }
    for query, answer in (
        ("list_approvals", "approvals_listed"),
        ("list_parked", "parked_listed"),
        ("list_refused", "refused_listed"),
    ):
        made[query].answer = made[answer]  # type: ignore[attr-defined]
    return ChassisMessages(**made)
