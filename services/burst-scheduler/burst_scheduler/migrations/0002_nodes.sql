-- One row for each node that was ever wanted: its generation only grows, so that what was made for an earlier life is known.
CREATE TABLE node (
    workspace text NOT NULL REFERENCES workspace ON DELETE CASCADE,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('wanted', 'released', 'given-up')),
    generation bigint NOT NULL CHECK (generation >= 1),
    provider text NOT NULL,
    job_ids jsonb NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (workspace, name)
);

-- Counted from the nodes.
ALTER TABLE pool DROP COLUMN nodes;
