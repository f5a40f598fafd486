-- Floods and loops: the same message again is counted, and a human's word ends a runaway conversation.

ALTER TABLE event ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0; -- how often it came again
ALTER TABLE event ADD COLUMN quiet INTEGER NOT NULL DEFAULT 0;   -- 1: of a runaway conversation, it waits
ALTER TABLE session ADD COLUMN prompted_at INTEGER;              -- when its human last said something
