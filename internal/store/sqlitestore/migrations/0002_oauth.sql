-- OAuth grants: grant_key is unique within a tenant where it is not empty; grant_info is JSON, null for other credentials.
-- due_at is when a grant has to be refreshed although nobody uses it, NULL for never.

ALTER TABLE tokens ADD COLUMN due_at TEXT;
ALTER TABLE tokens ADD COLUMN grant_key TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN grant_info TEXT NOT NULL DEFAULT 'null';

CREATE UNIQUE INDEX tokens_grant ON tokens (tenant, grant_key) WHERE grant_key <> '';
CREATE INDEX tokens_due ON tokens (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX tokens_id ON tokens (id);

-- A state is found by its id alone, a hash of what the browser carries.
CREATE TABLE oauth_states (
  id         TEXT    NOT NULL PRIMARY KEY,
  tenant     TEXT    NOT NULL,
  revision   INTEGER NOT NULL,
  created_at TEXT,
  updated_at TEXT,
  key_id     TEXT    NOT NULL,
  sealed     TEXT    NOT NULL,
  expires_at TEXT
) STRICT;

CREATE INDEX oauth_states_expiry ON oauth_states (expires_at);
