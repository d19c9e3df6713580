-- One row a workspace: its document's burst section, and the pool that is registered for it.
CREATE TABLE workspace (
    workspace text PRIMARY KEY,
    generation bigint NOT NULL,
    burst jsonb,
    ready_generation bigint NOT NULL DEFAULT 0,
    deleted_generation bigint NOT NULL DEFAULT 0
);

CREATE TABLE pool (
    workspace text PRIMARY KEY REFERENCES workspace ON DELETE CASCADE,
    generation bigint NOT NULL,
    role text NOT NULL,
    provider text NOT NULL,
    max_nodes integer NOT NULL CHECK (max_nodes >= 1),
    budget_per_month double precision NOT NULL CHECK (budget_per_month >= 0),
    idle_minutes integer NOT NULL CHECK (idle_minutes >= 1),
    spent_this_month double precision NOT NULL DEFAULT 0,
    nodes integer NOT NULL DEFAULT 0 CHECK (nodes >= 0)
);
