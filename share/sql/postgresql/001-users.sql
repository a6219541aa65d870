-- Users, where they are registered, call records and calls under way. Times are seconds since 1970. The same tables as SQLite's.

-- A password is kept as hashes of `user:realm:password`; the realm is sip.conf's.
CREATE TABLE users (
  username TEXT NOT NULL PRIMARY KEY,
  ha1_md5 TEXT,
  ha1_sha256 TEXT,
  ha1_realm TEXT,
  number TEXT,                           -- a second number he is called by; users who share one ring together
  alternatives TEXT,                     -- comma-separated: numbers he may also call from
  max_contacts INTEGER,                  -- phones at once; NULL: as sip.conf says
  inuse_limit INTEGER NOT NULL DEFAULT 0, -- calls at once; 0: any number
  enabled INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX users_number ON users (number);

-- A row for each phone of a user, whichever server it is registered at.
CREATE TABLE bindings (
  username TEXT NOT NULL,
  binding TEXT NOT NULL,                 -- the device, or its contact
  data TEXT NOT NULL,                    -- the target of a call to it
  expires BIGINT NOT NULL,               -- 0: never
  q TEXT NOT NULL,
  nodename TEXT NOT NULL,                -- the server that holds the flow to it
  process TEXT NOT NULL,                 -- of that server: connections end with it
  listener TEXT NOT NULL,
  ip_host TEXT NOT NULL,
  ip_port TEXT NOT NULL,
  ip_transport TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  connection_reliable TEXT NOT NULL,
  reg_nat_addr TEXT NOT NULL,
  sip_contact TEXT NOT NULL,
  sip_callid TEXT NOT NULL,
  sip_cseq TEXT NOT NULL,
  sip_instance TEXT NOT NULL,
  reg_id TEXT NOT NULL,
  sip_path TEXT NOT NULL,
  device TEXT NOT NULL,
  PRIMARY KEY (username, binding)
);
CREATE INDEX bindings_expires ON bindings (expires);
CREATE INDEX bindings_node ON bindings (nodename);

-- One row for each leg of a call.
CREATE TABLE calls (
  nodename TEXT NOT NULL,
  runid TEXT NOT NULL,                   -- of the server's run
  cdrid TEXT NOT NULL,                   -- within the run
  time DOUBLE PRECISION NOT NULL,
  chan TEXT,
  address TEXT,
  direction TEXT,
  billid TEXT,                           -- the same for all legs of a call
  caller TEXT,
  called TEXT,
  username TEXT,
  duration DOUBLE PRECISION,
  billtime DOUBLE PRECISION,
  ringtime DOUBLE PRECISION,
  status TEXT,
  reason TEXT,
  ended INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX calls_record ON calls (nodename, runid, cdrid);
CREATE INDEX calls_open ON calls (nodename) WHERE ended = 0;
CREATE INDEX calls_time ON calls (time);

-- Legs of users that are up now; a user's calls are counted by their billid.
CREATE TABLE calls_in_use (
  nodename TEXT NOT NULL,
  runid TEXT NOT NULL,
  cdrid TEXT NOT NULL,
  username TEXT NOT NULL,
  billid TEXT,
  direction TEXT,
  since DOUBLE PRECISION,
  PRIMARY KEY (nodename, runid, cdrid, username)
);
CREATE INDEX calls_in_use_username ON calls_in_use (username);

CREATE VIEW users_in_use AS
  SELECT username, inuse_limit, (SELECT count(DISTINCT billid) FROM calls_in_use WHERE calls_in_use.username = users.username) AS inuse FROM users;
