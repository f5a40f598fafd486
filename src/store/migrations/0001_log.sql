-- The log, who writes to it, and how far each reader has come. Times are epoch milliseconds, UTC.

CREATE TABLE event (
  id             INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused; a cursor is such an id
  event_type     TEXT    NOT NULL,
  payload        TEXT    NOT NULL,
  channel        TEXT    NOT NULL,
  session_id     TEXT    NOT NULL,                  -- the sender, or 'anonymous'
  at             INTEGER NOT NULL,
  signal_level   INTEGER NOT NULL,                  -- 0 lifecycle, 1 info, 2 actionable
  correlation_id TEXT,
  title          TEXT,
  tags           TEXT                               -- a JSON array of strings
) STRICT;

-- One index for each way to narrow a read; each walks in log order.
CREATE INDEX event_by_channel ON event (channel, id);
CREATE INDEX event_by_type ON event (event_type, id);
CREATE INDEX event_by_correlation ON event (correlation_id, id) WHERE correlation_id IS NOT NULL;

CREATE TABLE session (
  id            TEXT    PRIMARY KEY,
  display_id    TEXT    NOT NULL UNIQUE,
  name          TEXT    NOT NULL,
  machine       TEXT    NOT NULL,
  cwd           TEXT    NOT NULL,
  repo          TEXT    NOT NULL,
  client_id     TEXT,
  registered_at INTEGER NOT NULL,
  last_seen     INTEGER NOT NULL,
  ended_at      INTEGER,
  end_reason    TEXT
) STRICT, WITHOUT ROWID;

-- Not unique: the original allowed twins. The live one, then the latest, is the one revived.
CREATE INDEX session_by_client ON session (machine, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX session_live ON session (last_seen) WHERE ended_at IS NULL;

CREATE TABLE position (
  session_id TEXT    NOT NULL,
  consumer   TEXT    NOT NULL,
  event_id   INTEGER NOT NULL,                      -- read through this id, inclusive
  moved_at   INTEGER NOT NULL,
  PRIMARY KEY (session_id, consumer)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  url         TEXT    NOT NULL,
  channel     TEXT,                                 -- exact, or a prefix when it ends in '*'
  event_types TEXT,                                 -- a JSON array of strings
  secret      TEXT,
  active      INTEGER NOT NULL DEFAULT 1,
  created_at  INTEGER NOT NULL
) STRICT;

-- Tripwires: the original's server, started on this file by mistake, stops at its first statement
-- instead of building tables of its own beside these.
CREATE VIEW schema_version AS SELECT 'this database belongs to event-bus' AS version;
CREATE VIEW sessions AS SELECT 'this database belongs to event-bus' AS id;
CREATE VIEW events AS SELECT 'this database belongs to event-bus' AS id;
CREATE VIEW webhooks AS SELECT 'this database belongs to event-bus' AS id;
