-- The audit log: every notification, command, event, decision and effect, in streams that are hash chains.
-- Where each stream ends; its row lock is what gives the rows their one order.
CREATE TABLE audit_head (
    stream text PRIMARY KEY,
    position bigint NOT NULL,
    link bytea NOT NULL,
    recorded_at timestamptz NOT NULL
);
INSERT INTO audit_head (stream, position, link, recorded_at)
SELECT stream, 0, decode(repeat('00', 32), 'hex'), now() FROM unnest(ARRAY['openstack', 'tresor']) AS stream;

-- What was taken in already: 16 octets of SHA-256 over the source and its message id. Apart from the rows, because
-- a unique index over a partitioned table would have to hold the partition's key.
CREATE TABLE audit_identity (
    identity bytea PRIMARY KEY
);

CREATE TABLE audit_record (
    stream text NOT NULL,
    position bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    kind text NOT NULL,
    type text NOT NULL,
    message_id text NOT NULL,
    source text NOT NULL,
    occurred_at timestamptz,
    request_id text NOT NULL,
    global_request_id text NOT NULL,
    project_id text NOT NULL,
    workspace text NOT NULL,
    redacted boolean NOT NULL,
    body bytea NOT NULL,
    link bytea NOT NULL,
    PRIMARY KEY (stream, position, recorded_at)
) PARTITION BY RANGE (recorded_at);

-- A body compresses to a third; with lz4 for a tenth of what the default costs. Where the server is built without it,
-- bodies up to 8 kB stay in the row as they are.
DO $$
BEGIN
    ALTER TABLE audit_record ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    ALTER TABLE audit_record ALTER COLUMN body SET STORAGE EXTERNAL;
END $$;

-- Block ranges with bloom filters: found by any of these in milliseconds, for nearly no cost at the insert.
CREATE INDEX audit_record_search ON audit_record USING brin (
    recorded_at timestamptz_minmax_ops,
    type text_bloom_ops,
    request_id text_bloom_ops,
    global_request_id text_bloom_ops,
    project_id text_bloom_ops,
    workspace text_bloom_ops,
    message_id text_bloom_ops
) WITH (pages_per_range = 64, autosummarize = on);

-- For a month that has no partition of its own yet; stays empty while the service makes them ahead of time.
CREATE TABLE audit_record_other PARTITION OF audit_record DEFAULT;

-- This month and the next two; the service makes the following ones in time.
DO $$
DECLARE
    month timestamptz := date_trunc('month', now());
BEGIN
    FOR ahead IN 0..2 LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF audit_record FOR VALUES FROM (%L) TO (%L)',
                       'audit_record_' || to_char(month, 'YYYY_MM'), month, month + interval '1 month');
        month := month + interval '1 month';
    END LOOP;
END $$;

-- How far each reader of the log (a SIEM file) has come.
CREATE TABLE audit_reader (
    reader text NOT NULL,
    stream text NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (reader, stream)
);
