-- Loops: a runaway conversation waits for a human's word.

ALTER TABLE event ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;   -- 1: of a runaway conversation, it waits
ALTER TABLE session ADD COLUMN prompted_at INTEGER;              -- when its human last said something
