"""Every metric's name, once. Labels are few and bounded: a message type, a step, a state; never an id."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

# Intake: what came from Tresor's own bus.
MESSAGES_STORED = Counter("tresor_messages_stored_total", "Messages stored before they were acknowledged.", ["kind"])
MESSAGES_REPEATED = Counter("tresor_messages_repeated_total", "Deliveries of what was stored already.", ["kind"])
MESSAGES_REFUSED = Counter("tresor_messages_refused_total", "Input that is no message for this service.", ["reason"])
SEQUENCE_GAPS = Counter(
    "tresor_sequence_gaps_total", "Gaps in a producer's events; each asks for a resend.", ["producer"]
)

EVENTS_MISSED = Counter(
    "tresor_events_missed_total",
    "Overtaken events that their producer had forgotten before this service heard them.",
    ["producer"],
)
ROWS_FORGOTTEN = Counter("tresor_rows_forgotten_total", "Rows deleted as their time was over.", ["table"])
FORGETTING_SECONDS = Histogram("tresor_forgetting_seconds", "One round over all tables.", buckets=_SECONDS)

# Lanes: what is worked on.
MESSAGE_SECONDS = Histogram(
    "tresor_message_seconds", "A handler's transaction, from begin to commit.", ["type"], buckets=_SECONDS
)
MESSAGES_PARKED = Counter("tresor_messages_parked_total", "Messages set aside after too many failures.", ["type"])
RECONCILE_SECONDS = Histogram("tresor_reconcile_seconds", "One look at one key.", ["outcome"], buckets=_SECONDS)
DIRTY_KEYS = Gauge("tresor_dirty_keys", "Keys waiting to be looked at.")
OLDEST_DIRTY_SECONDS = Gauge("tresor_oldest_dirty_key_seconds", "How long the oldest due key has waited.")
LANES_HELD = Gauge("tresor_lanes_held", "Buckets that this replica leases.")
LAST_SCAN = Gauge(
    "tresor_last_full_scan_timestamp_seconds",
    "When the state was listed that the last full scan rests on, in seconds since the epoch; 0 before the first.",
)
SCAN_SECONDS = Gauge("tresor_scan_bound_seconds", "The bound on unseen change where OpenStack is silent.")

# The model of the cloud that isolation is proven on.
MODELS_BUILT = Counter(
    "tresor_isolation_models_built_total",
    "Models of the cloud built anew: the first one, or by a scan, with which the one before it agreed, differed or failed.",
    ["why"],
)

# Relay: what is told.
SIEM_UNWRITTEN = Gauge(
    "tresor_siem_rows_unwritten", "Rows of the audit log that the SIEM's file has not been given yet.", ["stream"]
)
DETECTION_UNJUDGED = Gauge(
    "tresor_detection_rows_unjudged", "Rows of the audit log that the detection rules have not judged yet.", ["stream"]
)
DETECTION_FAILURES = Counter("tresor_detection_failures_total", "Messages that a rule failed over.", ["rule"])
EVENTS_SENT = Counter("tresor_events_sent_total", "Events confirmed by the broker.")
EVENTS_UNSENT = Gauge("tresor_events_unsent", "Events committed and not yet confirmed.")

# OpenStack's notifications.
NOTIFICATIONS = Counter("tresor_notifications_total", "Notifications taken in.", ["exchange"])
NOTIFICATIONS_DROPPED = Counter(
    "tresor_notifications_dropped_total",
    "Notifications that a full queue dropped, or that expired in it, before they were read; at the least.",
)
NOTIFICATIONS_BROKEN = Counter("tresor_notifications_broken_total", "Notifications that could not be decoded.")

# OpenStack's APIs.
CLOUD_CALLS = Counter("tresor_cloud_calls_total", "Calls to OpenStack by outcome.", ["outcome"])
CLOUD_READS_AGAIN = Counter("tresor_cloud_reads_again_total", "Reads asked again, as OpenStack stumbled over them.")
CLOUD_SECONDS = Histogram("tresor_cloud_call_seconds", "Calls to OpenStack.", buckets=_SECONDS)
EFFECTS = Counter("tresor_effects_total", "Calls that change the cloud.", ["step", "outcome"])
