-- Whether the scan was told of all projects, so that groups of missing ones could be found.
ALTER TABLE hygiene_scan ADD COLUMN projects_known boolean NOT NULL DEFAULT false;
