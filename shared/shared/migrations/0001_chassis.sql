-- Who works on which keys: a replica leases a bucket; every change of owner raises its fence.
CREATE TABLE lane (
    bucket smallint PRIMARY KEY,
    owner text,
    fence bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO lane (bucket) SELECT generate_series(0, 63);

CREATE TABLE replica (
    replica text PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

-- Everything that came in and was believed; a command stays for ever, so that its id is good once.
CREATE TABLE inbox (
    position bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    message_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('event', 'command')),
    type text NOT NULL,
    aggregate text NOT NULL,
    bucket smallint NOT NULL,
    sequence bigint,
    digest bytea NOT NULL,
    body bytea NOT NULL,
    holder text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'done', 'held', 'applied', 'rejected', 'failed', 'parked')),
    problems jsonb,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    error text,
    received_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (source, message_id)
);
CREATE INDEX inbox_pending ON inbox (bucket, aggregate, position) WHERE state = 'pending';
CREATE INDEX inbox_message ON inbox (message_id);

-- How far each producer's events of an aggregate have been taken in.
CREATE TABLE heard (
    producer text NOT NULL,
    aggregate text NOT NULL,
    sequence bigint NOT NULL,
    asked_at timestamptz,
    PRIMARY KEY (producer, aggregate)
);

-- The last number given to an aggregate's events; its row lock is what makes their order the commits' order.
CREATE TABLE stream (
    aggregate text PRIMARY KEY,
    sequence bigint NOT NULL
);

CREATE TABLE outbox (
    aggregate text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    bucket smallint NOT NULL,
    type text NOT NULL,
    exchange text NOT NULL,
    body bytea NOT NULL,
    signature text NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (aggregate, sequence)
);
CREATE INDEX outbox_unsent ON outbox (bucket, aggregate, sequence) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE sent_at IS NOT NULL;

-- Keys to be looked at; marked again while they are worked on, they are looked at again.
CREATE TABLE dirty (
    key text PRIMARY KEY,
    bucket smallint NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    due_at timestamptz NOT NULL,
    marked_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    traceparent text,
    correlation_id uuid
);
CREATE INDEX dirty_due ON dirty (bucket, due_at);

-- Every call that changes the cloud, written before it is made.
CREATE TABLE intent (
    intent_id uuid PRIMARY KEY,
    key text NOT NULL,
    step text NOT NULL,
    marker text NOT NULL,
    request_id text NOT NULL UNIQUE,
    fence bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('sent', 'done', 'failed', 'unknown')),
    resource_id text,
    error text,
    sent_at timestamptz NOT NULL,
    settled_at timestamptz
);
CREATE INDEX intent_marker ON intent (marker, sent_at DESC);
CREATE INDEX intent_open ON intent (key) WHERE state IN ('sent', 'unknown');

-- What was refused or could not be handled, byte for byte.
CREATE TABLE quarantine (
    quarantine_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL,
    source text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    body bytea NOT NULL,
    code_version text NOT NULL,
    received_at timestamptz NOT NULL,
    times bigint NOT NULL DEFAULT 1,
    replayed_at timestamptz,
    UNIQUE (digest, reason)
);

CREATE TABLE timer (
    name text PRIMARY KEY,
    due_at timestamptz NOT NULL
);
