-- Quarantines, each with what stood before it changed anything. Kept after their end: they are evidence.
CREATE TABLE workspace_quarantine (
    quarantine_id uuid PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace,
    role text,
    node text,
    server_ids text[] NOT NULL DEFAULT '{}',
    reason text NOT NULL,
    holder text NOT NULL,
    state text NOT NULL DEFAULT 'ordered'
        CHECK (state IN ('ordered', 'evidenced', 'cut', 'held', 'releasing', 'released')),
    command_ids uuid[] NOT NULL,
    ordered_at timestamptz NOT NULL,
    down_since timestamptz,
    cut_at timestamptz,
    evidence text,
    evidence_digest text,
    release_command_id uuid,
    release_holder text,
    release_reason text,
    released_at timestamptz
);
CREATE INDEX workspace_quarantine_open ON workspace_quarantine (workspace) WHERE state <> 'released';

-- The ports of each, and how they were found.
CREATE TABLE quarantined_port (
    quarantine_id uuid NOT NULL REFERENCES workspace_quarantine,
    port_id text NOT NULL,
    server_id text NOT NULL,
    was_up boolean NOT NULL,
    group_ids text[] NOT NULL,
    PRIMARY KEY (quarantine_id, port_id)
);

-- The floating IPs that were taken off.
CREATE TABLE quarantined_floating_ip (
    quarantine_id uuid NOT NULL REFERENCES workspace_quarantine,
    floating_ip_id text NOT NULL,
    address text NOT NULL,
    port_id text NOT NULL,
    fixed_address text NOT NULL,
    PRIMARY KEY (quarantine_id, floating_ip_id)
);
