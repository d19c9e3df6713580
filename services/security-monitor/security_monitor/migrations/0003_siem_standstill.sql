-- Since when a reader's file takes nothing, while there is something for it.
CREATE TABLE audit_standstill (
    reader text PRIMARY KEY,
    begun_at timestamptz NOT NULL
);
