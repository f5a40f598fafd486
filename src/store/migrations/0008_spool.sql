-- Events that waited in a spool while the bus was away: when they were sent, and that each came once.

ALTER TABLE event ADD COLUMN sent_at INTEGER;        -- NULL: at once

CREATE TABLE spooled (
  dedupe_key TEXT    NOT NULL,
  session_id TEXT    NOT NULL,                       -- the sender, as event.session_id
  sent_at    INTEGER NOT NULL,                       -- as the sender says
  event_id   INTEGER NOT NULL,                       -- also when that has left the log
  at         INTEGER NOT NULL,                       -- when it came
  PRIMARY KEY (dedupe_key, session_id, sent_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX spooled_by_time ON spooled (at);
