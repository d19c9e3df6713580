-- MAC addresses that several ports say, as the last scan found them.
CREATE TABLE duplicate_mac (
    mac_address text PRIMARY KEY,
    evidence text NOT NULL,
    duplicate jsonb NOT NULL,
    found_at timestamptz NOT NULL
);

-- When all ports were looked at last: one row.
CREATE TABLE duplicate_scan (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    scanned_at timestamptz NOT NULL
);

-- Removals that were commanded and have not ended.
CREATE TABLE duplicate_removal (
    port_id text PRIMARY KEY,
    command_id uuid NOT NULL,
    mac_address text NOT NULL,
    evidence text NOT NULL
);
