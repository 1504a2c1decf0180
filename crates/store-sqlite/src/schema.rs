//! The tables, by version. A database that is newer than this build is left alone.

use ordercast_store::StoreError;
use rusqlite::Connection;

use crate::{failed, life};

/// Each entry brings the database from its index to the next version. Entries are never changed: databases exist
/// that went through them.
const MIGRATIONS: &[&str] = &[
    FIRST,
    PUBLICATIONS,
    ORDERS_IN_FULL,
    PAUSES,
    CUSTOMER_SEGMENTS,
    LIMITS,
    REPORTS,
    STEADY_TIME,
    PRICE_OVERRIDES,
    TOPICS,
    CONSUMERS,
];

const FIRST: &str = "
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A log's counter: offsets 1..head exist, but for those up to floor, which retention has removed.
CREATE TABLE logs (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  head INTEGER NOT NULL DEFAULT 0 CHECK (head >= 0),
  floor INTEGER NOT NULL DEFAULT 0 CHECK (floor BETWEEN 0 AND head)
) STRICT;

-- One row an event. position = log id << 40 | offset.
CREATE TABLE events (
  position INTEGER PRIMARY KEY,
  order_seq INTEGER REFERENCES orders (seq),
  at_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_order ON events (order_seq) WHERE order_seq IS NOT NULL;

-- What changes in an order's life; rewritten with every step, so kept small.
CREATE TABLE orders (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  customer_id TEXT NOT NULL,
  -- Spelled out, the usual ones first: for a list of more than two, SQLite builds a table at every write.
  status TEXT NOT NULL CHECK (status = 'pending' OR status = 'active' OR status = 'completed' OR
    status = 'scheduled' OR status = 'held' OR status = 'retrying' OR status = 'partially_fulfilled' OR
    status = 'fulfilled' OR status = 'failed' OR status = 'rejected' OR status = 'cancelled'),
  -- 0 ready for a worker, 1 in work, NULL neither.
  queue INTEGER CHECK (queue IN (0, 1)),
  lane INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 2),
  priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 3),
  version INTEGER NOT NULL,
  token INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  sort_key INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  rounding INTEGER NOT NULL,
  currency TEXT NOT NULL,
  item_count INTEGER NOT NULL,
  accepted_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  placed_at_ms INTEGER,
  worker TEXT,
  started_at_ms INTEGER,
  duration_ms INTEGER,
  demo INTEGER NOT NULL CHECK (demo IN (0, 1)),
  digest BLOB NOT NULL CHECK (length(digest) = 16),
  CHECK ((queue IS 1) = (status = 'active')),
  CHECK ((queue IS 0) = (status IN ('pending', 'retrying')))
) STRICT;
CREATE INDEX orders_queue ON orders (queue, sort_key) WHERE queue IS NOT NULL;
-- Orders by customer, for those up to customers_indexed_to; the few above it are looked through. Customers' ids are
-- hashes: an index kept with every order would dirty a page of its own for each of them, and half of all that is
-- written would be this index. Filled thousands at a time, in its own order, it costs next to nothing.
CREATE TABLE customer_orders (
  customer_id TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES orders (seq),
  PRIMARY KEY (customer_id, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE progress (
  customers_indexed_to INTEGER NOT NULL
) STRICT;
-- The statuses that few orders are in, so that a list of them need not look through all.
CREATE INDEX orders_by_rare_status ON orders (status, seq) WHERE status = 'scheduled' OR status = 'held' OR
  status = 'retrying' OR status = 'failed' OR status = 'rejected' OR status = 'cancelled';

-- What stays as it was accepted: personal data stands only here, so that it can be erased.
CREATE TABLE order_details (
  seq INTEGER PRIMARY KEY REFERENCES orders (seq),
  customer TEXT NOT NULL,
  address TEXT NOT NULL,
  notes TEXT,
  -- [[sku, quantity, price in millionths or null, reserved, came as plain text], ...]
  lines TEXT NOT NULL
) STRICT;

CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  order_seq INTEGER NOT NULL REFERENCES orders (seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE products (
  sku TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  price INTEGER NOT NULL,
  currency TEXT NOT NULL,
  stock INTEGER CHECK (stock >= 0),
  reserved INTEGER NOT NULL CHECK (reserved >= 0),
  CHECK (stock IS NULL OR reserved <= stock)
) STRICT, WITHOUT ROWID;

CREATE TABLE adjustments (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('cancellation', 'write_off', 'bad_debt')),
  amount INTEGER NOT NULL,
  rounding INTEGER NOT NULL,
  currency TEXT NOT NULL,
  customer_id TEXT,
  -- [[sku, quantity, price in millionths], ...]
  lines TEXT NOT NULL,
  notes TEXT,
  placed_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 16)
) STRICT;

INSERT INTO logs (id, name) VALUES (1, 'adjustments'), (2, 'products'), (1048576, 'orders');
INSERT INTO progress VALUES (0);
";

const PUBLICATIONS: &str = "
INSERT INTO logs (id, name) VALUES (0, 'publications');

-- What was published into durable application channels; position = offset. The name of the channel is written out:
-- a table of names would have to be looked into by the writer, and would keep names that retention should take away.
CREATE TABLE publications (
  position INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
-- By channel within each run of consecutive offsets, so that it grows at its right edge whatever the channels.
CREATE INDEX publications_by_channel ON publications (position >> 14, channel);
";

const ORDERS_IN_FULL: &str = "
-- Checks of a table cannot be changed, so it is written anew: with timers, leases, errors and money given back.
CREATE TABLE orders_in_full (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  customer_id TEXT NOT NULL,
  -- Spelled out, the usual ones first: for a list of more than two, SQLite builds a table at every write.
  status TEXT NOT NULL CHECK (status = 'pending' OR status = 'active' OR status = 'completed' OR
    status = 'scheduled' OR status = 'held' OR status = 'retrying' OR status = 'partially_fulfilled' OR
    status = 'fulfilled' OR status = 'failed' OR status = 'rejected' OR status = 'cancelled'),
  -- 0 ready for a worker, 1 in work, 2 waits for its time, NULL none of these.
  queue INTEGER CHECK (queue BETWEEN 0 AND 2),
  lane INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 2),
  priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 3),
  version INTEGER NOT NULL,
  token INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  sort_key INTEGER NOT NULL,
  amount INTEGER NOT NULL,
  rounding INTEGER NOT NULL,
  currency TEXT NOT NULL,
  item_count INTEGER NOT NULL,
  accepted_at_ms INTEGER NOT NULL,
  updated_at_ms INTEGER NOT NULL,
  placed_at_ms INTEGER,
  worker TEXT,
  started_at_ms INTEGER,
  duration_ms INTEGER,
  demo INTEGER NOT NULL CHECK (demo IN (0, 1)),
  digest BLOB NOT NULL CHECK (length(digest) = 16),
  -- When a timer moves it on.
  due_at_ms INTEGER,
  -- The lease of the external worker that has it.
  lease TEXT,
  cancel_requested INTEGER NOT NULL DEFAULT 0 CHECK (cancel_requested BETWEEN 0 AND 1),
  last_error TEXT,
  refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount),
  CHECK ((queue IS 1) = (status = 'active')),
  CHECK ((queue IS 2) = (due_at_ms IS NOT NULL)),
  CHECK (queue IS 2 OR (queue IS 0) = (status = 'pending' OR status = 'retrying')),
  CHECK (queue IS NOT 2 OR status = 'scheduled' OR status = 'retrying' OR status = 'held' OR status = 'pending'),
  CHECK (lease IS NULL OR queue IS 1)
) STRICT;
INSERT INTO orders_in_full (seq, id, customer_id, status, queue, lane, priority, version, token, attempts, sort_key,
  amount, rounding, currency, item_count, accepted_at_ms, updated_at_ms, placed_at_ms, worker, started_at_ms,
  duration_ms, demo, digest)
SELECT seq, id, customer_id, status, queue, lane, priority, version, token, attempts, sort_key,
  amount, rounding, currency, item_count, accepted_at_ms, updated_at_ms, placed_at_ms, worker, started_at_ms,
  duration_ms, demo, digest FROM orders ORDER BY seq;
DROP TABLE orders;
ALTER TABLE orders_in_full RENAME TO orders;
CREATE INDEX orders_queue ON orders (queue, sort_key) WHERE queue IS NOT NULL;
CREATE INDEX orders_due ON orders (due_at_ms) WHERE queue = 2;
-- The statuses that few orders are in, so that a list of them need not look through all.
CREATE INDEX orders_by_rare_status ON orders (status, seq) WHERE status = 'scheduled' OR status = 'held' OR
  status = 'retrying' OR status = 'failed' OR status = 'rejected' OR status = 'cancelled';

-- Discounts, taxes, shipping: [[kind, name or null, millionths], ...]; NULL for none.
ALTER TABLE order_details ADD COLUMN charges TEXT;

-- Units that were sent, called off afterwards, or came back. Rows are added and never changed.
CREATE TABLE line_moves (
  order_seq INTEGER NOT NULL REFERENCES orders (seq),
  version INTEGER NOT NULL,
  line INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('shipped', 'cancelled', 'returned')),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (order_seq, version, line, kind)
) STRICT, WITHOUT ROWID;

-- Money that went back. Rows are added and never changed; their sum is the order's refunded.
CREATE TABLE ledger (
  order_seq INTEGER NOT NULL REFERENCES orders (seq),
  version INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('refund', 'return', 'void')),
  amount INTEGER NOT NULL CHECK (amount > 0),
  actor TEXT NOT NULL,
  reason TEXT,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (order_seq, version)
) STRICT, WITHOUT ROWID;

-- Idempotency keys of what was done to orders.
CREATE TABLE action_keys (
  key TEXT PRIMARY KEY,
  order_seq INTEGER NOT NULL REFERENCES orders (seq),
  digest BLOB NOT NULL CHECK (length(digest) = 16)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  id TEXT PRIMARY KEY,
  worker TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

const PAUSES: &str = "
-- What is held back: all, lane:… or customer:….
CREATE TABLE pauses (
  scope TEXT PRIMARY KEY,
  since_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  -- Whether it was lifted and only lets go of what it parked.
  ending INTEGER NOT NULL CHECK (ending BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;

-- The pause that keeps an order from its turn. Such orders are not in the index of the queue: no claim passes them.
ALTER TABLE orders ADD COLUMN parked_by TEXT CHECK (parked_by IS NULL OR queue = 0);
DROP INDEX orders_queue;
CREATE INDEX orders_queue ON orders (queue, sort_key) WHERE queue IS NOT NULL AND parked_by IS NULL;
CREATE INDEX orders_parked ON orders (parked_by) WHERE parked_by IS NOT NULL;
";

const CUSTOMER_SEGMENTS: &str = "
-- The index of orders by customer lies in segments: consecutive orders, up to where the next segment begins. A fill
-- changes the last one only.
CREATE TABLE customer_segments (
  first_seq INTEGER PRIMARY KEY
) STRICT;
INSERT INTO customer_segments
WITH RECURSIVE segments (first_seq) AS (
  SELECT 1 FROM progress WHERE customers_indexed_to > 0
  UNION ALL
  SELECT first_seq + 131072 FROM segments, progress WHERE first_seq + 131072 <= customers_indexed_to
)
SELECT first_seq FROM segments;
CREATE TABLE customer_orders_in_segments (
  segment INTEGER NOT NULL REFERENCES customer_segments (first_seq),
  customer_id TEXT NOT NULL,
  seq INTEGER NOT NULL REFERENCES orders (seq),
  PRIMARY KEY (segment, customer_id, seq)
) STRICT, WITHOUT ROWID;
-- Segment by segment, so that no more than one of them is sorted in memory at a time.
INSERT INTO customer_orders_in_segments
SELECT s.first_seq, o.customer_id, o.seq FROM customer_segments s CROSS JOIN orders o
WHERE o.seq >= s.first_seq AND o.seq < s.first_seq + 131072 AND o.seq <= (SELECT customers_indexed_to FROM progress)
ORDER BY s.first_seq, o.customer_id, o.seq;
DROP TABLE customer_orders;
ALTER TABLE customer_orders_in_segments RENAME TO customer_orders;
";

const LIMITS: &str = "
-- Orders are parked by limits too (limit:…), and let go in the order in which they start.
DROP INDEX orders_parked;
CREATE INDEX orders_parked ON orders (parked_by, sort_key) WHERE parked_by IS NOT NULL;
";

const REPORTS: &str = "
-- How workers elsewhere said that their work ended, the last few times of each order: a repetition gets the same answer.
CREATE TABLE reports (
  order_seq INTEGER NOT NULL REFERENCES orders (seq),
  token INTEGER NOT NULL,
  lease TEXT NOT NULL,
  outcome TEXT NOT NULL CHECK (outcome IN ('complete', 'retry', 'fail', 'reject', 'hold', 'release')),
  PRIMARY KEY (order_seq, token)
) STRICT, WITHOUT ROWID;
";

const STEADY_TIME: &str = "
-- Steady time, in milliseconds, as it was left: waits and leases go by it, and it stands still while the server is down.
-- It begins as the wall clock, which they went by before.
CREATE TABLE clock (
  steady_ms INTEGER NOT NULL
) STRICT;
INSERT INTO clock VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER));

-- When a wait is over, by steady time; due_at_ms only says about when that will be. NULL for a time that somebody named.
ALTER TABLE orders ADD COLUMN steady_due_ms INTEGER CHECK (steady_due_ms IS NULL OR queue = 2);
UPDATE orders SET steady_due_ms = due_at_ms WHERE queue = 2 AND (status = 'retrying' OR status = 'pending');
DROP INDEX orders_due;
CREATE INDEX orders_due ON orders (due_at_ms) WHERE queue = 2 AND steady_due_ms IS NULL;
CREATE INDEX orders_steady_due ON orders (steady_due_ms) WHERE steady_due_ms IS NOT NULL;

-- How long a lease lasts from each sign of life on; expires_at_ms is by steady time from now on.
ALTER TABLE leases ADD COLUMN ttl_ms INTEGER NOT NULL DEFAULT 6000 CHECK (ttl_ms >= 0);
";

const PRICE_OVERRIDES: &str = "
-- Why prices of an order are not those of the catalogue; NULL where none differs.
ALTER TABLE order_details ADD COLUMN price_override TEXT;
";

const TOPICS: &str = "
-- The topics of events that stand in no column of theirs, such as an adjustment's customer.
CREATE TABLE event_topics (
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  PRIMARY KEY (position, kind, id)
) STRICT, WITHOUT ROWID;
-- By topic within each run of consecutive offsets, so that it grows at its right edge whatever the topics.
CREATE INDEX event_topics_by_topic ON event_topics (position >> 14, kind, id);
INSERT INTO event_topics
SELECT position, 'customer', customer_id FROM (
  SELECT position, CASE WHEN json_valid(CAST(body AS TEXT)) THEN json_extract(CAST(body AS TEXT), '$.customer_id') END
    AS customer_id
  FROM events WHERE position >> 40 = (SELECT id FROM logs WHERE name = 'adjustments')
) WHERE typeof(customer_id) = 'text';
";

const CONSUMERS: &str = "
-- Durable readers of logs: everything up to the cursor is handled, and one node at a time reads.
CREATE TABLE consumers (
  name TEXT PRIMARY KEY,
  log TEXT NOT NULL REFERENCES logs (name),
  epoch TEXT NOT NULL,
  cursor INTEGER NOT NULL CHECK (cursor >= 0),
  owner TEXT NOT NULL,
  -- Raised with each owner: an earlier one is refused.
  fence INTEGER NOT NULL CHECK (fence > 0),
  -- By steady time.
  lease_end_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Creates the tables, or brings them up to this build.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_to(connection, MIGRATIONS.len())
}

fn migrate_to(connection: &mut Connection, target: usize) -> Result<(), StoreError> {
    let version: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|e| failed(&e))?;
    if version > MIGRATIONS.len() {
        return Err(StoreError::Failed(format!(
            "the database has version {version}, newer than this build knows ({}); use a newer ordercast",
            MIGRATIONS.len()
        )));
    }
    for (index, migration) in MIGRATIONS.iter().enumerate().take(target).skip(version) {
        let mut step = || {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            if index == 0 {
                seed(&transaction)?;
            }
            transaction.pragma_update(None, "user_version", index + 1)?;
            transaction.commit()
        };
        step().map_err(|e: rusqlite::Error| failed(&e))?;
    }
    Ok(())
}

/// Draws what is each store's own.
fn seed(connection: &Connection) -> rusqlite::Result<()> {
    let secret = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
    let mut insert = connection.prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)")?;
    insert.execute(("epoch", life::new_epoch()))?;
    insert.execute(("secret", secret))?;
    Ok(())
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
