-- Every workspace that was ever admitted; a deleted one stays, so that its generations are never counted again.
CREATE TABLE workspace (
    name text PRIMARY KEY,
    generation bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('creating', 'ready', 'failed', 'deleting', 'deleted')),
    document jsonb NOT NULL,
    holder text NOT NULL,
    begun_at timestamptz NOT NULL,
    project_id text,
    prepared_generation bigint NOT NULL,
    declared_generation bigint NOT NULL,
    networked_generation bigint NOT NULL,
    ready_generation bigint NOT NULL,
    emptied_generation bigint NOT NULL,
    are_quotas_forgotten boolean NOT NULL,
    gates jsonb NOT NULL,
    networks jsonb NOT NULL,
    problems jsonb NOT NULL,
    step text NOT NULL,
    done integer NOT NULL,
    total integer NOT NULL
);
CREATE INDEX workspace_project ON workspace (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX workspace_present ON workspace (begun_at DESC, name) WHERE state <> 'deleted';

-- The nodes that the document in force declares.
CREATE TABLE node (
    workspace text NOT NULL REFERENCES workspace (name),
    name text NOT NULL,
    role text NOT NULL,
    position integer NOT NULL,
    server_id text,
    status text NOT NULL,
    attempts integer NOT NULL,
    fault text NOT NULL,
    failed_server_id text,
    told_server_id text,
    active_since timestamptz,
    port_ids text[] NOT NULL,
    addresses text[] NOT NULL,
    host text NOT NULL,
    PRIMARY KEY (workspace, name)
);
CREATE INDEX node_server ON node (server_id) WHERE server_id IS NOT NULL;

-- Documents that were asked for and wait for the cloud to be asked whether they can be had.
CREATE TABLE proposal (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace text NOT NULL,
    document jsonb NOT NULL,
    command_id uuid NOT NULL UNIQUE,
    holder text NOT NULL,
    proposed_at timestamptz NOT NULL
);
CREATE INDEX proposal_workspace ON proposal (workspace, position);

-- Commands that end when their generation is reached, or given up.
CREATE TABLE awaited (
    command_id uuid PRIMARY KEY,
    workspace text NOT NULL,
    generation bigint NOT NULL
);
CREATE INDEX awaited_workspace ON awaited (workspace, generation);

-- The register's history (row L29): what became of each generation, and on whose word.
CREATE TABLE history (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace text NOT NULL,
    generation bigint NOT NULL,
    state text NOT NULL,
    holder text NOT NULL,
    happened_at timestamptz NOT NULL
);
CREATE INDEX history_workspace ON history (workspace, position);

-- What the cloud offers to everybody, as last read.
CREATE TABLE catalog (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    content jsonb NOT NULL,
    read_at timestamptz NOT NULL
);
