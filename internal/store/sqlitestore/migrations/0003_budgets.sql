-- What is known of rate limits. data is JSON: the window, what each tenant leased of it, a pause, what the provider said.

CREATE TABLE budgets (
  key        TEXT    NOT NULL PRIMARY KEY,
  revision   INTEGER NOT NULL,
  updated_at TEXT,
  data       TEXT    NOT NULL
) STRICT;
