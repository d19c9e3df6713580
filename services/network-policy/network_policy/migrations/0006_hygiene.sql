-- What the last full scan had to say of every project's groups.
CREATE TABLE hygiene_scan (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    digest text NOT NULL,
    observed_at timestamptz NOT NULL,
    group_count integer NOT NULL,
    rule_count integer NOT NULL,
    least_rule_count integer NOT NULL
);

CREATE TABLE group_hygiene (
    group_id text PRIMARY KEY,
    name text NOT NULL,
    project_id text NOT NULL,
    rule_count integer NOT NULL,
    least_rule_count integer NOT NULL,
    is_fewest boolean NOT NULL,
    port_count integer NOT NULL,
    remarks jsonb NOT NULL
);
CREATE INDEX group_hygiene_project ON group_hygiene (project_id);
