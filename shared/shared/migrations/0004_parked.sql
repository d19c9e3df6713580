-- A parked event is handled again, or never, when people say so.
ALTER TABLE inbox ADD COLUMN replays smallint NOT NULL DEFAULT 0;
ALTER TABLE inbox DROP CONSTRAINT inbox_state_check;
ALTER TABLE inbox ADD CONSTRAINT inbox_state_check CHECK (
    state IN ('pending', 'done', 'held', 'applied', 'rejected', 'failed', 'parked', 'dropped', 'waiting'));
CREATE INDEX inbox_parked ON inbox (position) WHERE state = 'parked';
