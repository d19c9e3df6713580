-- One row a workspace: what the others have told of it, and where storage stands with it.
CREATE TABLE workspace (
    workspace text PRIMARY KEY,
    state text NOT NULL
        CHECK (state IN ('waiting', 'making', 'ready', 'failed', 'stopping', 'releasing', 'released')),
    generation bigint NOT NULL,
    project_id text,
    document jsonb,
    enforced_generation bigint NOT NULL DEFAULT 0,
    deleting_generation bigint NOT NULL DEFAULT 0,
    has_begun boolean NOT NULL DEFAULT false,
    tries integer NOT NULL DEFAULT 0,
    problems jsonb NOT NULL DEFAULT '[]',
    drift jsonb NOT NULL DEFAULT '{}',
    since timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX workspace_project ON workspace (project_id) WHERE state <> 'released';

-- Shares and volumes by the id that the cloud gave them: the only authority on what is ours. No access key is kept.
CREATE TABLE resource (
    workspace text NOT NULL REFERENCES workspace ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('share', 'volume')),
    cloud_name text NOT NULL,
    name text NOT NULL,
    resource_id text NOT NULL,
    size_gib bigint NOT NULL,
    node text NOT NULL DEFAULT '',
    protocol text NOT NULL DEFAULT '',
    export_locations text[] NOT NULL DEFAULT '{}',
    access text[] NOT NULL DEFAULT '{}',
    is_told boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace, kind, cloud_name)
);
CREATE INDEX resource_id ON resource (resource_id);
