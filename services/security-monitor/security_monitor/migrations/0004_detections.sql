-- What a finding of a rule is about: as long as one is open there is no second one about the same.
ALTER TABLE finding ADD COLUMN about text;
CREATE UNIQUE INDEX finding_about ON finding (rule, about) WHERE resolved_at IS NULL AND about IS NOT NULL;

-- What people made of it.
ALTER TABLE finding ADD COLUMN state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'accepted'));
ALTER TABLE finding ADD COLUMN holder text NOT NULL DEFAULT '';
ALTER TABLE finding ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE finding ADD COLUMN accepted_until timestamptz;
CREATE INDEX finding_accepted ON finding (accepted_until) WHERE resolved_at IS NULL AND accepted_until IS NOT NULL;

-- What rules remember of their keys. `until`: no use later; of something missed, when it is certain.
CREATE TABLE detection_memory (
    rule text NOT NULL,
    key text NOT NULL,
    digest text NOT NULL,
    memory jsonb NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (rule, key)
);
CREATE INDEX detection_memory_until ON detection_memory (until);

-- When the log was last judged: while nobody listens, nothing can be missed.
CREATE TABLE detection_turn (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    at timestamptz NOT NULL
);

-- Judged is what comes from here on: older rows are history.
INSERT INTO audit_reader (reader, stream, position) SELECT 'detections', stream, position FROM audit_head;

-- What Tresor told of its workspaces and servers.
CREATE TABLE workspace_told (
    workspace text PRIMARY KEY,
    sensitivity text NOT NULL,
    sensitive_roles text[] NOT NULL
);
CREATE TABLE node_told (
    server_id text PRIMARY KEY,
    workspace text NOT NULL,
    role text NOT NULL
);
