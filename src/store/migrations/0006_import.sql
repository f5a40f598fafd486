-- Moving: each log has a name of its own, and an event that came from another log says where it was.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE event ADD COLUMN origin TEXT;         -- the log that it came from …
ALTER TABLE event ADD COLUMN origin_id INTEGER;   -- … and its id there
ALTER TABLE event ADD COLUMN imported_at INTEGER; -- set when it is history here, and no news
CREATE INDEX event_by_origin ON event (origin, origin_id) WHERE origin IS NOT NULL;
