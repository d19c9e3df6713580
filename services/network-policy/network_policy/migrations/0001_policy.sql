-- What each workspace declared, how far it is enforced, and what the last proof said.
CREATE TABLE workspace (
    workspace text PRIMARY KEY,
    generation bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('declared', 'deleting', 'emptied', 'withdrawn')),
    project_id text,
    document jsonb,
    network_ids text[] NOT NULL DEFAULT '{}',
    networks_generation bigint,
    enforced_generation bigint,
    enforced_groups jsonb NOT NULL DEFAULT '{}',
    open_drift jsonb NOT NULL DEFAULT '{}',
    violation text NOT NULL DEFAULT '',
    suspect boolean NOT NULL DEFAULT false,
    verdict text NOT NULL DEFAULT 'unknown' CHECK (verdict IN ('isolated', 'violated', 'unknown')),
    proof text,
    observed_at timestamptz,
    group_count integer NOT NULL DEFAULT 0,
    rule_count integer NOT NULL DEFAULT 0,
    port_count integer NOT NULL DEFAULT 0,
    counterexamples jsonb NOT NULL DEFAULT '[]',
    reach jsonb NOT NULL DEFAULT '[]',
    assumptions jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX workspace_project ON workspace (project_id);
CREATE INDEX workspace_network ON workspace USING gin (network_ids);

-- The group of each role; the role of the project's default group is ''.
CREATE TABLE role_group (
    workspace text NOT NULL REFERENCES workspace,
    role text NOT NULL,
    group_id text NOT NULL UNIQUE,
    PRIMARY KEY (workspace, role)
);

-- The rules that were last seen in the groups: a delete's notification may carry only an id.
CREATE TABLE known_rule (
    rule_id text PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace,
    group_id text NOT NULL,
    rule jsonb NOT NULL
);
CREATE INDEX known_rule_workspace ON known_rule (workspace);

-- The role of each node's port, as told when the node became active.
CREATE TABLE node_port (
    port_id text PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace,
    role text NOT NULL,
    server_id text NOT NULL
);
CREATE INDEX node_port_workspace ON node_port (workspace);
CREATE INDEX node_port_server ON node_port (server_id);

-- What somebody else did to a workspace's policy, as OpenStack's notification told it.
CREATE TABLE seen_change (
    seen_change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace,
    resource_id text NOT NULL,
    event_type text NOT NULL,
    happened_at timestamptz,
    seen_at timestamptz NOT NULL,
    actor text NOT NULL,
    request_id text NOT NULL
);
CREATE INDEX seen_change_resource ON seen_change (workspace, resource_id, seen_change_id DESC);
CREATE INDEX seen_change_age ON seen_change (seen_at);
