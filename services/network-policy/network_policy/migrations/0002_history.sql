-- Undeclared rules that their notification was enough to take out: told already, not for a look to tell again.
CREATE TABLE prompt_repair (
    rule_id text PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace,
    group_id text NOT NULL,
    rule jsonb NOT NULL,
    drift text NOT NULL,
    happened_at timestamptz,
    detected_at timestamptz NOT NULL,
    repaired_at timestamptz,
    explained boolean NOT NULL DEFAULT false
);
CREATE INDEX prompt_repair_open ON prompt_repair (workspace) WHERE NOT explained;
CREATE INDEX prompt_repair_age ON prompt_repair (detected_at);
