-- What a security officer must know, and until when it was so.
CREATE TABLE finding (
    finding_id text PRIMARY KEY,
    rule text NOT NULL,
    workspace text,
    body jsonb NOT NULL,
    raised_at timestamptz NOT NULL,
    resolved_at timestamptz
);
CREATE INDEX finding_raised ON finding (raised_at DESC);
CREATE INDEX finding_open ON finding (workspace, rule) WHERE resolved_at IS NULL;

-- Which of OpenStack's projects are workspaces of Tresor, as its own events told.
CREATE TABLE project (
    project_id text PRIMARY KEY,
    workspace text NOT NULL
);
