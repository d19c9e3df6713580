-- A command that others have to approve waits in the inbox; next_attempt_at is then until when.
ALTER TABLE inbox DROP CONSTRAINT inbox_state_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_state_check
    CHECK (state IN ('pending', 'done', 'held', 'applied', 'rejected', 'failed', 'parked', 'waiting'));
CREATE INDEX inbox_waiting ON inbox (next_attempt_at) WHERE state = 'waiting';

-- Who approved which bytes, each person once.
CREATE TABLE approval (
    digest bytea NOT NULL,
    approver text NOT NULL,
    command_id uuid NOT NULL,
    approval_id uuid NOT NULL,
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (digest, approver)
);
