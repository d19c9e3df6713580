-- When Cinder said that a volume of a workspace's project is made: what it was not changed since, nobody attached.
CREATE TABLE volume_birth (
    volume_id text PRIMARY KEY,
    ready_at timestamptz NOT NULL
);
CREATE INDEX volume_birth_ready_at ON volume_birth (ready_at);

-- What a call made that outlived its caller, and that was told of as somebody's to look at.
CREATE TABLE surplus_left (
    resource_id text PRIMARY KEY,
    workspace text NOT NULL REFERENCES workspace ON DELETE CASCADE
);
