-- Plans that were ordered to be applied, and how far each has come. Kept after their end: who changed what, when.
CREATE TABLE policy_apply (
    command_id uuid PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace,
    plan text NOT NULL,
    document jsonb NOT NULL,
    holder text NOT NULL,
    state text NOT NULL DEFAULT 'ordered' CHECK (state IN ('ordered', 'begun', 'applied', 'refused', 'failed')),
    ordered_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX policy_apply_open ON policy_apply (workspace) WHERE state IN ('ordered', 'begun');

-- The problems that a policy was last refused for, so that they are told once.
ALTER TABLE workspace ADD COLUMN refused text NOT NULL DEFAULT '';
