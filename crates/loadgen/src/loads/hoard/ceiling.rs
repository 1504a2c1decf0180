//! The most memory that a server may take, computed from its bounds.

use std::fmt;

const MIB: u64 = 1024 * 1024;

/// Settings of the private server: bounds that are nearly reached, and room for those who come fresh.
pub(super) const SETTINGS: &str = "\
[server]
max_http_connections = 8000
body_bytes = 67108864
[websocket]
waiting_bytes = 419430400
[channels]
memory_bytes = 16777216
";

/// One bound: what it is for, and its bytes.
type Row = (&'static str, u64);

/// The sum of the bounds. What a bound counts in bytes may lie in memory with the allocator's margin.
#[derive(Clone, Debug)]
pub struct Ceiling(Vec<Row>);

impl Ceiling {
    /// For a server with [`SETTINGS`] that took `empty` bytes before anybody came.
    pub(super) fn of(empty: u64, connections: u64) -> Self {
        Self(vec![
            ("the server before anybody came", empty),
            (
                "websocket.waiting_bytes: events, replies, messages in progress, with a quarter for the allocator",
                500 * MIB,
            ),
            ("server.body_bytes: bodies in progress, with a quarter for the allocator", 80 * MIB),
            ("channels.memory_bytes", 16 * MIB),
            ("lines of bulk requests: 512 of at most 128 KiB read ahead", 64 * MIB),
            (
                "a connection: its task, its two buffers of 16 KiB, its answer of at most 256 KiB in one of 8",
                64 * 1024 * connections,
            ),
            ("answers to bulk requests that are not read", 128 * MIB),
            ("commands that wait: 1,000 with their orders", 8 * MIB),
            ("blocks of events kept for those who come back: 8 MiB for each of 4 logs and 1 shard", 32 * MIB),
            ("caches of SQLite: 8 MiB of the writer, 2 MiB of each of 3 readers, its index of the WAL", 24 * MIB),
            ("lines of the log that wait", 4 * MIB),
        ])
    }

    /// All of it, in bytes.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, bytes) in &self.0 {
            writeln!(f, "    {:>7.1} MiB  {what}", *bytes as f64 / MIB as f64)?;
        }
        write!(f, "    {:>7.1} MiB  in all", self.bytes() as f64 / MIB as f64)
    }
}
