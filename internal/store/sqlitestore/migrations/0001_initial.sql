-- Times are RFC 3339 texts in UTC with nine decimals, NULL for the zero time; account, site, config, scopes and meta
-- are JSON; a revision counts the writes of its record from 1.

CREATE TABLE connections (
  tenant        TEXT    NOT NULL,
  id            TEXT    NOT NULL,
  revision      INTEGER NOT NULL,
  created_at    TEXT,
  updated_at    TEXT,
  connector_id  TEXT    NOT NULL,
  name          TEXT    NOT NULL,
  status        TEXT    NOT NULL,
  reason        TEXT    NOT NULL,
  auth_method   TEXT    NOT NULL,
  account       TEXT    NOT NULL,
  site          TEXT    NOT NULL,
  config        TEXT    NOT NULL,
  scopes        TEXT    NOT NULL,
  token_id      TEXT    NOT NULL,
  last_used_at  TEXT,
  operator_host INTEGER NOT NULL,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE UNIQUE INDEX connections_name ON connections (tenant, connector_id, name);

CREATE TABLE tokens (
  tenant     TEXT    NOT NULL,
  id         TEXT    NOT NULL,
  revision   INTEGER NOT NULL,
  created_at TEXT,
  updated_at TEXT,
  kind       TEXT    NOT NULL,
  key_id     TEXT    NOT NULL,
  sealed     TEXT    NOT NULL,
  expires_at TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX tokens_key ON tokens (key_id);

CREATE TABLE sync_states (
  tenant        TEXT    NOT NULL,
  connection_id TEXT    NOT NULL,
  stream        TEXT    NOT NULL,
  container_id  TEXT    NOT NULL,
  revision      INTEGER NOT NULL,
  created_at    TEXT,
  updated_at    TEXT,
  generation    INTEGER NOT NULL,
  cursor        TEXT    NOT NULL,
  PRIMARY KEY (tenant, connection_id, stream, container_id)
) STRICT;

CREATE TABLE connector_settings (
  tenant        TEXT    NOT NULL,
  connector_id  TEXT    NOT NULL,
  revision      INTEGER NOT NULL,
  created_at    TEXT,
  updated_at    TEXT,
  extra_details INTEGER NOT NULL,
  PRIMARY KEY (tenant, connector_id)
) STRICT;

CREATE TABLE audit_logs (
  tenant      TEXT NOT NULL,
  id          TEXT NOT NULL,
  actor       TEXT NOT NULL,
  action      TEXT NOT NULL,
  target_type TEXT NOT NULL,
  target_id   TEXT NOT NULL,
  outcome     TEXT NOT NULL,
  meta        TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  created_at  TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE INDEX audit_logs_action ON audit_logs (tenant, action, id);
CREATE INDEX audit_logs_target ON audit_logs (tenant, target_id, id);
