//! How a store is opened.

use std::path::PathBuf;

/// How a store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Where the files are; created when missing.
    pub data_dir: PathBuf,
    /// Connections that read beside the writer. Lists and pages of logs take all but one of them.
    pub readers: usize,
    /// The writer's page cache, in KiB; 8 MiB at most while the database is smaller than 1 GiB.
    pub cache_kib: u32,
    /// Growth of the WAL, in KiB, after which it is copied back into the database. At twice this size it starts over,
    /// and waits for readers if it must.
    pub wal_kib: u32,
    /// Orders that are next to start and are kept in memory, about 500 bytes each.
    pub ready: usize,
    /// New orders after which the index of customers is filled up. Questions by customer look through so many
    /// orders; 8,192 take about a millisecond.
    pub customer_tail: u64,
    /// Orders in a segment of that index, to the next fill. A fill writes the pages of one segment, some 800 when it
    /// is full; questions by customer look into each.
    pub customer_segment: u64,
    /// Whether the store begins a new epoch, as one does that was put back from a copy. What a copy can be told by is
    /// noticed without this; a snapshot of a whole volume that was put back is not.
    pub new_epoch: bool,
}

impl SqliteOptions {
    /// The defaults for a data directory: 3 readers, 64 MiB of cache, 128 MiB of WAL, 1,024 orders in memory, the index of
    /// customers filled every 8,192 orders in segments of 131,072.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            readers: 3,
            cache_kib: 64 * 1024,
            wal_kib: 128 * 1024,
            ready: 1_024,
            customer_tail: 8_192,
            customer_segment: 131_072,
            new_epoch: false,
        }
    }
}
