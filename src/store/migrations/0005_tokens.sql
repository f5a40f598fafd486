-- Who may call, and whose a session is.

CREATE TABLE token (
  id           INTEGER PRIMARY KEY,
  name         TEXT    NOT NULL,        -- the principal; after a rotation several rows have it
  hash         TEXT    NOT NULL UNIQUE, -- SHA-256 of the secret, hex; the secret itself is nowhere
  scopes       TEXT    NOT NULL,        -- a JSON array
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER,
  last_used_at INTEGER,                 -- to the hour
  rotated_at   INTEGER,                 -- when another secret took its place
  revoked_at   INTEGER
) STRICT;
CREATE INDEX token_by_name ON token (name);

-- Whoever registered it; null for the original's, which are whoever's registers them again.
ALTER TABLE session ADD COLUMN principal TEXT;
UPDATE session SET principal = first.principal FROM event AS first
  WHERE first.id = session.start_id AND first.session_id = session.id
    AND first.event_type = 'session_registered';
