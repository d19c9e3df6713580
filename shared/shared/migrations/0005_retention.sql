-- What is handled, told, settled or refused goes after its time; indexes by age, so that finding it costs little.
CREATE INDEX inbox_done ON inbox (finished_at) WHERE state IN ('done', 'dropped');
CREATE INDEX intent_settled ON intent (settled_at) WHERE settled_at IS NOT NULL;

-- Up to where the audit log has the aggregate's events, and up to where overtaken ones may be missing here.
ALTER TABLE stream ADD COLUMN acknowledged bigint NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN thinned bigint NOT NULL DEFAULT 0;
-- Up to where the producer says that events may be missing.
ALTER TABLE heard ADD COLUMN thinned bigint NOT NULL DEFAULT 0;
