//! What the engine's handles, its writer and its settings share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use ordercast_domain::draft::CustomerKey;
use ordercast_domain::rules::Rules;
use ordercast_store::read::StartState;
use ordercast_store::write::{Committed, Outlook, OutlookDepth};
use tokio::sync::watch;

use crate::catalogue::CatalogueMirror;
use crate::health::Health;
use crate::intake::Intake;
use crate::retention::Retentions;
use crate::stats::Stats;
use crate::timers::Clocks;
use crate::waiting::WaitingClaims;

/// Ready orders are counted up to this number after each commit: more than a batch usually claims, and less than the SQLite
/// store keeps in memory.
const READY_DEPTH: usize = 512;

/// The settings of an engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The rules of the shop.
    pub rules: Rules,
    /// Workers in the process; with 0 orders wait.
    pub slots: usize,
    /// Most commands that are not yet acknowledged (503 beyond).
    pub intake_capacity: usize,
    /// Most of them from one client (429 beyond).
    pub client_capacity: usize,
    /// Most commands in one commit.
    pub batch_commands: usize,
    /// How much logs keep.
    pub retention: Retentions,
    /// The name of this node: its workers in the process hold their orders under it. It must stay the same from start to
    /// start, and no two nodes on one store may share it.
    pub node: Arc<str>,
}

impl EngineConfig {
    /// The defaults: 10 workers, 1,000 commands, 800 of one client, 1,024 a commit; every event is kept; the node is `local`.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            slots: 10,
            intake_capacity: 1_000,
            client_capacity: 800,
            batch_commands: 1_024,
            retention: Retentions::default(),
            node: "local".into(),
        }
    }

    /// How far the outlook of each commit counts.
    pub(crate) fn depth(&self) -> OutlookDepth {
        let limits = &self.rules.concurrency;
        OutlookDepth {
            ready: READY_DEPTH,
            active: limits.max_active.unwrap_or(0),
            limited: limits.max_active_per_customer.is_some(),
        }
    }
}

pub(crate) struct Shared {
    pub(crate) config: EngineConfig,
    pub(crate) intake: Arc<Intake>,
    pub(crate) stats: Stats,
    pub(crate) health: Health,
    pub(crate) clocks: Clocks,
    pub(crate) catalogue: CatalogueMirror,
    pub(crate) customers: CustomerKey,
    pub(crate) start: StartState,
    /// Orders that are ready and in work, by the last outlook.
    pub(crate) ready: AtomicUsize,
    pub(crate) active: AtomicUsize,
    /// Orders that workers in the process have.
    pub(crate) in_pool: AtomicUsize,
    /// External workers that wait for orders.
    pub(crate) waiting: WaitingClaims,
    pub(crate) draining: AtomicBool,
    pub(crate) failure: watch::Sender<Option<String>>,
}

impl Shared {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Takes over what the store says is to be done.
    pub(crate) fn note_outlook(&self, outlook: &Outlook) {
        self.ready.store(outlook.ready, Relaxed);
        self.active.store(outlook.active, Relaxed);
    }

    /// How many more orders may be in work, if there is a limit in all.
    pub(crate) fn room(&self) -> Option<usize> {
        let active = self.active.load(Relaxed);
        self.config.rules.concurrency.max_active.map(|most| most.saturating_sub(active))
    }

    /// Whether as many orders are in work as is allowed in all.
    pub(crate) fn is_full(&self) -> bool {
        self.room() == Some(0)
    }

    /// Wakes external workers for the orders that are ready, as far as there is room for more in work.
    pub(crate) fn wake_waiting(&self) {
        let ready = self.ready.load(Relaxed);
        self.waiting.wake(self.room().map_or(ready, |room| ready.min(room)));
    }

    /// Notes what a commit shows of the store.
    pub(crate) fn note_health(&self, committed: &Committed) {
        if let Some(for_ms) = self.health.note_available() {
            tracing::info!(for_ms, "the store can be written to again");
        }
        self.health.note_journal(committed.journal_bytes, committed.journal_is_over);
    }

    pub(crate) fn fail(&self, error: &str) {
        tracing::error!(error, "the store failed; no more commands are taken");
        self.failure.send_replace(Some(error.to_owned()));
        self.intake.fail();
    }
}
