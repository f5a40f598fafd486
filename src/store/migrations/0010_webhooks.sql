-- Who registered a webhook, for the limit of each principal; null for those from before.

ALTER TABLE webhook ADD COLUMN principal TEXT;
