"""Bugs to be found: each changes one thing of a running service, and names the check that must then fail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.faults import bugs_of_messages as in_messages
from tests.faults import bugs_of_waking as in_waking
from tests.faults import bugs_of_work as in_work
from tests.faults import checks_of_admission as admission
from tests.faults import checks_of_messages as messages
from tests.faults import checks_of_waking as waking
from tests.faults import checks_of_work as work
from tests.faults.ground import Ground


@dataclass(frozen=True)
class Bug:
    """What is wrong, how it is made wrong, and what finds it."""

    name: str
    apply: Callable[[pytest.MonkeyPatch, Ground], None]
    check: Callable[[Ground], Awaitable[None]]

    def __str__(self) -> str:
        return self.name


BUGS = (
    Bug("acknowledged before the commit", in_messages.acknowledged_before_commit, messages.a_crash_loses_no_command),
    Bug(
        "rejected on a database error",
        in_messages.rejected_on_a_database_error,
        messages.a_database_that_stumbles_loses_no_command,
    ),
    Bug("returns ignored", in_messages.returns_ignored, messages.what_nobody_hears_counts_as_unsent),
    Bug("confirms not awaited", in_messages.confirms_not_awaited, messages.what_is_not_confirmed_counts_as_unsent),
    Bug(
        "failed publishes overtaken",
        in_messages.failed_publishes_overtaken,
        messages.no_event_counts_as_sent_before_an_earlier_one,
    ),
    Bug(
        "outbox outside the transaction",
        in_messages.outbox_outside_the_transaction,
        messages.what_was_rolled_back_is_not_told,
    ),
    Bug(
        "duplicates accepted",
        in_messages.duplicates_and_any_number_accepted,
        messages.a_doubled_event_is_handled_once,
    ),
    Bug("a gap accepted", in_messages.any_number_accepted, messages.a_gap_is_not_passed_over),
    Bug("heads not told", in_messages.heads_not_told, messages.a_lost_end_is_asked_for),
    Bug("replays not remembered", in_messages.duplicates_accepted, admission.a_command_is_done_once),
    Bug("digests not compared", in_messages.digest_not_compared, admission.other_bytes_under_a_known_id_are_refused),
    Bug("signatures not verified", in_messages.signature_not_verified, admission.changed_bytes_are_refused),
    Bug("the keyring read once", in_messages.keyring_read_once, admission.a_revoked_key_is_refused),
    Bug("expiry ignored", in_messages.expiry_ignored, admission.an_expired_command_is_refused),
    Bug("roles not asked", in_messages.not_asked("wrong-role"), admission.who_holds_no_such_role_is_refused),
    Bug("workspaces not asked", in_messages.not_asked("wrong-workspace"), admission.another_workspaces_key_is_refused),
    Bug("audience not asked", in_messages.not_asked("wrong-audience"), admission.anothers_command_is_refused),
    Bug("senders not asked", in_messages.not_asked("wrong-user"), admission.a_claimed_name_is_refused),
    Bug("poison tried for ever", in_messages.poison_tried_for_ever, messages.a_poison_message_is_parked),
    Bug("prefetch unlimited", in_messages.prefetch_unlimited, messages.what_is_taken_in_is_bounded),
    Bug("consumers not watched", in_messages.consumers_not_watched, messages.a_deleted_queue_is_found_out),
    Bug(
        "former connections left open",
        in_messages.former_connections_left_open,
        messages.a_rebuilt_session_leaves_nothing_open,
    ),
    Bug("fences not checked in a look", in_work.fence_not_checked, work.who_lost_the_lease_writes_nothing),
    Bug(
        "fences not checked in a decision",
        in_work.fence_not_checked_when_deciding,
        work.who_lost_the_lease_decides_nothing,
    ),
    Bug(
        "the lease not asked before a call",
        in_work.lease_not_asked_before_the_call,
        work.who_waited_too_long_does_not_call,
    ),
    Bug("leases not renewed", in_work.leases_not_renewed, work.leases_are_kept),
    Bug("intents not written first", in_work.intent_after_the_call, work.a_call_is_written_down_before_it_is_made),
    Bug(
        "former calls not looked for", in_work.former_call_not_looked_for, work.a_call_without_an_answer_is_not_repeated
    ),
    Bug("unknown outcomes retried", in_work.unknown_outcome_retried, work.a_call_without_an_answer_is_not_repeated),
    Bug("what was found not adopted", in_work.found_not_adopted, work.what_a_lost_answer_made_is_adopted),
    Bug("observed calls left open", in_work.observed_calls_left_open, work.every_call_has_an_outcome),
    Bug(
        "marks lost while looking",
        in_work.marks_lost_while_looking,
        work.what_was_marked_meanwhile_is_looked_at_again,
    ),
    Bug(
        "noted before it is confirmed",
        in_waking.noted_before_it_is_confirmed,
        messages.what_is_not_confirmed_counts_as_unsent,
    ),
    Bug("confirmations never noted", in_waking.confirmations_never_noted, waking.what_was_confirmed_is_noted),
    Bug("confirmations forgotten", in_waking.confirmations_forgotten, waking.what_was_confirmed_is_noted),
    Bug(
        "noted for every aggregate",
        in_waking.noted_for_every_aggregate,
        waking.what_was_confirmed_says_nothing_of_others,
    ),
    Bug("what is stored wakes nobody", in_waking.nobody_wakes("decide"), waking.nothing_waits_to_be_polled_for),
    Bug("what is marked wakes nobody", in_waking.nobody_wakes("reconcile"), waking.nothing_waits_to_be_polled_for),
    Bug("what is told wakes nobody", in_waking.nobody_wakes("relay"), waking.nothing_waits_to_be_polled_for),
    Bug(
        "what was stored meanwhile forgotten",
        in_waking.stored_meanwhile_forgotten,
        waking.nothing_waits_to_be_polled_for,
    ),
    Bug(
        "a full disk taken for a fault",
        in_waking.a_full_disk_taken_for_a_fault,
        waking.a_database_without_room_ends_nothing,
    ),
    Bug("few deliveries allowed", in_waking.few_deliveries_allowed, waking.a_command_outlives_its_consumers),
)
