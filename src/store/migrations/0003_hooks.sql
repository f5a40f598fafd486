-- Sessions that hooks report: the process they run in, and what else may wake them.

ALTER TABLE session ADD COLUMN pid INTEGER;      -- on its own machine …
ALTER TABLE session ADD COLUMN pid_start TEXT;   -- … and when that process started, opaque
ALTER TABLE session ADD COLUMN wake_on TEXT;     -- a JSON array of channels beside its own
CREATE INDEX session_by_process ON session (machine, pid) WHERE pid IS NOT NULL;
CREATE INDEX session_by_client_id ON session (client_id, last_seen) WHERE client_id IS NOT NULL;
