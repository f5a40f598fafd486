-- Whose events are still in the log is not forgotten: its id would be given to somebody else.

ALTER TABLE session ADD COLUMN last_event_id INTEGER; -- no later one is its own; NULL: living, or not known
