-- Search: the words of the log, kept apart from it. Filled in batches, behind a position of its own,
-- because a word at a time would cost every publish more than the event itself.
CREATE VIRTUAL TABLE event_words USING fts5(
  title, event_type, tags, payload,
  content = 'event', content_rowid = 'id',
  tokenize = 'porter unicode61 remove_diacritics 2'
);
