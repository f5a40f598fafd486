-- Delivery: named consumers, the record of what reached whom, presence, and webhooks that are consumers.

ALTER TABLE event ADD COLUMN principal TEXT;   -- who was calling, as the door found out
ALTER TABLE event ADD COLUMN reply_to INTEGER; -- the event that this one answers
ALTER TABLE event ADD COLUMN dedupe_key TEXT;
CREATE INDEX event_by_dedupe_key ON event (dedupe_key, session_id) WHERE dedupe_key IS NOT NULL;

ALTER TABLE session ADD COLUMN start_id INTEGER; -- its registration event: where its consumers begin
ALTER TABLE session ADD COLUMN state TEXT;       -- working, waiting or idle, as its hooks say
ALTER TABLE session ADD COLUMN state_at INTEGER;
ALTER TABLE session ADD COLUMN status TEXT;      -- what it says it is doing
ALTER TABLE session ADD COLUMN status_at INTEGER;
UPDATE session SET start_id = first.id FROM (
  SELECT session_id, max(id) AS id FROM event WHERE event_type = 'session_registered' GROUP BY session_id
) AS first WHERE first.session_id = session.id;
UPDATE session SET start_id = position.event_id FROM position
  WHERE start_id IS NULL AND position.session_id = session.id AND position.consumer = 'main';

-- A consumer belongs to a session, or without one to a principal; the other column is ''.
ALTER TABLE position RENAME TO position_1;
CREATE TABLE position (
  session_id TEXT    NOT NULL,
  principal  TEXT    NOT NULL DEFAULT '',
  consumer   TEXT    NOT NULL,
  event_id   INTEGER NOT NULL,                   -- read through this id, inclusive
  moved_at   INTEGER NOT NULL,
  path       TEXT,                               -- how it was last moved
  span_from  INTEGER,                            -- from here, exclusive, it has read …
  span_filter TEXT,                              -- … with this one filter
  PRIMARY KEY (session_id, principal, consumer)
) STRICT, WITHOUT ROWID;
INSERT INTO position (session_id, consumer, event_id, moved_at)
  SELECT session_id, consumer, event_id, moved_at FROM position_1;
DROP TABLE position_1;

CREATE TABLE delivery (
  id         INTEGER PRIMARY KEY,
  session_id TEXT    NOT NULL,
  principal  TEXT    NOT NULL,
  consumer   TEXT    NOT NULL,
  from_id    INTEGER NOT NULL,                   -- exclusive
  through_id INTEGER NOT NULL,                   -- inclusive; below from_id for a rewind
  filter     TEXT    NOT NULL,                   -- JSON: what was left out of the page
  path       TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  count      INTEGER NOT NULL                    -- how many events were handed over
) STRICT;
CREATE INDEX delivery_by_consumer ON delivery (session_id, principal, consumer, through_id);
CREATE INDEX delivery_by_time ON delivery (at);

ALTER TABLE webhook ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0; -- failures in a row
ALTER TABLE webhook ADD COLUMN failing_since INTEGER;
ALTER TABLE webhook ADD COLUMN retry_at INTEGER;
ALTER TABLE webhook ADD COLUMN last_error TEXT;
ALTER TABLE webhook ADD COLUMN delivered_at INTEGER;
ALTER TABLE webhook ADD COLUMN paused_reason TEXT;
