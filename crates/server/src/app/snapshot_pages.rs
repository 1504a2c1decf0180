//! Pages of snapshots, kept for a moment for others who ask for the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ordercast_domain::ids::Sku;
use ordercast_domain::order::OrderSeq;
use ordercast_protocol::channel::Channel;
use ordercast_protocol::position::Position;
use ordercast_store::log::LogState;
use tokio::sync::Semaphore;

/// Bytes after which a page is closed; a single larger order or product still fits.
pub(crate) const PAGE_BYTES: usize = 64 * 1024;
/// Most pages that are read at the same time.
const MAX_READS: usize = 4;
/// How long a page is shared with others who ask for the same.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// Most pages that are kept for others.
const MAX_SHARED: usize = 64;

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    First,
    /// Orders accepted before this one, and the number of orders sent so far.
    Before(OrderSeq, usize),
    /// Products after this SKU.
    After(Sku),
}

/// One frame of a snapshot.
pub(crate) struct SnapshotPage {
    pub(crate) frame: Bytes,
    /// The page shows at least everything up to here.
    pub(crate) as_of: LogState,
    pub(crate) next: Option<Start>,
}

/// Pages that were read lately, and turns to read them.
pub(crate) struct SnapshotPages {
    pub(crate) turns: Semaphore,
    shared: Mutex<VecDeque<Shared>>,
}

struct Shared {
    channel: Arc<str>,
    start: Start,
    read_at: Instant,
    page: Arc<SnapshotPage>,
}

impl Default for SnapshotPages {
    fn default() -> Self {
        Self { turns: Semaphore::new(MAX_READS), shared: Mutex::default() }
    }
}

impl SnapshotPages {
    /// A page that is young enough, and shows everything up to `since`.
    pub(crate) fn find(&self, channel: &Channel, start: &Start, since: Option<&Position>) -> Option<Arc<SnapshotPage>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        while shared.front().is_some_and(|oldest| oldest.read_at.elapsed() >= SHARED_FOR) {
            shared.pop_front();
        }
        let is_new_enough =
            |as_of: &LogState| since.is_none_or(|since| as_of.epoch == since.epoch && as_of.head >= since.offset);
        let fits =
            |kept: &&Shared| kept.channel == channel.name && kept.start == *start && is_new_enough(&kept.page.as_of);
        shared.iter().rev().find(fits).map(|kept| Arc::clone(&kept.page))
    }

    pub(crate) fn keep(&self, channel: &Channel, start: Start, page: &Arc<SnapshotPage>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.len() >= MAX_SHARED {
            shared.pop_front();
        }
        let channel = Arc::clone(&channel.name);
        shared.push_back(Shared { channel, start, read_at: Instant::now(), page: Arc::clone(page) });
    }
}
