-- Undeclared rules and ports out of order that their notification was enough to put right: told already, not for a look
-- to tell again, but to explain.
CREATE TABLE prompt_repair (
    repair_id text PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace,
    group_id text,
    rule jsonb,
    port jsonb,
    drift text NOT NULL,
    happened_at timestamptz,
    detected_at timestamptz NOT NULL,
    repaired_at timestamptz,
    failed boolean NOT NULL DEFAULT false,
    actor text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    explained boolean NOT NULL DEFAULT false,
    CHECK ((rule IS NULL) <> (port IS NULL))
);
CREATE INDEX prompt_repair_open ON prompt_repair (workspace) WHERE NOT explained;
CREATE INDEX prompt_repair_age ON prompt_repair (detected_at);
-- Every version of a resource that was observed, for as long as it stood.
CREATE TABLE history (
    kind text NOT NULL,
    resource_id text NOT NULL,
    project_id text NOT NULL,
    digest bytea NOT NULL,
    body jsonb NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    seen_by text NOT NULL CHECK (seen_by IN ('notification', 'look')),
    actor text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    PRIMARY KEY (kind, resource_id, valid_from),
    CHECK (valid_until IS NULL OR valid_until >= valid_from)
);
CREATE UNIQUE INDEX history_stands ON history (kind, resource_id) WHERE valid_until IS NULL;
CREATE INDEX history_stands_project ON history (project_id) WHERE valid_until IS NULL;
CREATE INDEX history_ended ON history (valid_until) WHERE valid_until IS NOT NULL;

-- The times through which full scans followed one another without a gap: outside them little is known.
CREATE TABLE observed_span (
    began_at timestamptz PRIMARY KEY,
    ended_at timestamptz NOT NULL
);
