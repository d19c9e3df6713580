-- A withdrawal that ports hold up: since when, and which of them were told of.
ALTER TABLE workspace ADD COLUMN held_since timestamptz;
ALTER TABLE workspace ADD COLUMN held_by text[] NOT NULL DEFAULT '{}';
