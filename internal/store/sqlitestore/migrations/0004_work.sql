-- Jobs. turn is the place in the queue; lease_until is when the claim of a running one ends, by this machine's clock; params,
-- state and error are JSON.
CREATE TABLE jobs (
  tenant           TEXT    NOT NULL,
  id               TEXT    NOT NULL,
  revision         INTEGER NOT NULL,
  created_at       TEXT,
  updated_at       TEXT,
  connector_id     TEXT    NOT NULL,
  connection_id    TEXT    NOT NULL,
  type             TEXT    NOT NULL,
  params           TEXT    NOT NULL,
  idempotency_key  TEXT    NOT NULL,
  status           TEXT    NOT NULL,
  not_before       TEXT,
  turn             INTEGER NOT NULL,
  attempts         INTEGER NOT NULL,
  takeovers        INTEGER NOT NULL,
  fence            INTEGER NOT NULL,
  owner            TEXT    NOT NULL,
  cancel_requested INTEGER NOT NULL,
  lease_until      TEXT,
  state            TEXT    NOT NULL,
  error            TEXT    NOT NULL,
  started_at       TEXT,
  finished_at      TEXT,
  PRIMARY KEY (tenant, id)
) STRICT;

CREATE UNIQUE INDEX jobs_key ON jobs (tenant, idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX jobs_queue ON jobs (turn, id, not_before, tenant) WHERE status = 'queued';
CREATE INDEX jobs_queue_of_tenant ON jobs (tenant, turn) WHERE status = 'queued';
CREATE INDEX jobs_running ON jobs (lease_until, tenant) WHERE status = 'running';
CREATE INDEX jobs_connection ON jobs (tenant, connection_id, id);
CREATE INDEX jobs_status ON jobs (tenant, status, id);
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

-- Records. A feed is the head of a connection's records; its id stands for (tenant, connection) in them, and is never used
-- again. value and raw are JSON as it was given.
CREATE TABLE feeds (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant        TEXT    NOT NULL,
  connection_id TEXT    NOT NULL,
  epoch         TEXT    NOT NULL,
  published     INTEGER NOT NULL,
  oldest        INTEGER NOT NULL,
  fence         INTEGER NOT NULL,
  owner         TEXT    NOT NULL,
  lease_until   TEXT,
  UNIQUE (tenant, connection_id)
) STRICT;

CREATE TABLE records (
  feed         INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  id           TEXT    NOT NULL,
  container_id TEXT    NOT NULL,
  item_id      TEXT    NOT NULL,
  change       INTEGER NOT NULL,
  deleted      INTEGER NOT NULL,
  reason       TEXT    NOT NULL,
  synced_at    TEXT,
  hash         TEXT    NOT NULL,
  value        BLOB    NOT NULL,
  raw          BLOB    NOT NULL,
  PRIMARY KEY (feed, kind, id)
) STRICT;

CREATE UNIQUE INDEX records_change ON records (feed, change);
CREATE INDEX records_container ON records (feed, kind, container_id, id) WHERE deleted = 0;
CREATE INDEX records_item ON records (feed, item_id, id) WHERE item_id <> '' AND deleted = 0;
CREATE INDEX records_tombstones ON records (synced_at) WHERE deleted = 1;

-- The stamp of the last census that met a record. It is apart from the records because a stamp is a few bytes, and they are
-- not.
CREATE TABLE record_marks (
  feed INTEGER NOT NULL,
  kind TEXT    NOT NULL,
  id   TEXT    NOT NULL,
  seen INTEGER NOT NULL,
  PRIMARY KEY (feed, kind, id)
) STRICT, WITHOUT ROWID;
