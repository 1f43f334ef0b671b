-- A log with two sealed histories: each but one is a log of its own that begins at entry `base` of
-- the log `parent`. See docs/adr/0012.
ALTER TABLE log ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
ALTER TABLE log ADD COLUMN parent BLOB;

-- What a pack was found to carry, where its header does not tell which history of a log it is.
ALTER TABLE relay_pack ADD COLUMN covers BLOB;
