-- What OpenStack's full queue let go unread, while that is not over.
CREATE TABLE loss (
    queue text PRIMARY KEY,
    since timestamptz NOT NULL,
    latest_at timestamptz NOT NULL,
    messages bigint NOT NULL,
    scanned boolean NOT NULL DEFAULT false  -- asked for after the latest of them
);
