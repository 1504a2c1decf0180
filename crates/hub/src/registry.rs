//! Who is connected, and how many may be.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::HubConfig;
use crate::counters::Backlog;

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// A WebSocket.
    WebSocket,
    /// A stream of Server-Sent Events, or the body of another response that does not end.
    EventStream,
}

/// Why there is no room for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// There are [`crate::HubConfig::max_connections`], or the hub is being stopped.
    Connections,
    /// More than [`crate::HubConfig::waiting_bytes`] wait for clients.
    WaitingBytes,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "no room for another connection",
            Self::WaitingBytes => "too many bytes wait for slow clients",
        })
    }
}

impl std::error::Error for LimitReached {}

/// One connection as monitoring sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Its name.
    pub id: Arc<str>,
    /// When it was opened, in milliseconds since 1970.
    pub connected_at_ms: u64,
    /// What carries it.
    pub protocol: Protocol,
    /// Messages received from it.
    pub messages: u64,
    /// When something was last received from it, in milliseconds since 1970.
    pub last_activity_ms: u64,
}

/// Counts connections and knows the open ones.
pub(crate) struct Registry {
    /// Part of every connection's name, so that names of different boots and nodes differ.
    boot: String,
    limit: usize,
    backlog: Arc<Backlog>,
    max_waiting_bytes: u64,
    is_closed: AtomicBool,
    active: AtomicUsize,
    peak: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    by_protocol: [AtomicUsize; 2],
    records: Mutex<HashMap<u64, Arc<Record>>>,
    /// Where the handlers over streams are, by the secret that their clients send with their messages.
    handlers: Mutex<HashMap<Arc<str>, Address>>,
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) shard: usize,
    pub(crate) key: u64,
}

/// Room for one connection; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    registry: Arc<Registry>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// What is known of an open connection.
#[derive(Debug)]
pub(crate) struct Record {
    id: Arc<str>,
    protocol: Protocol,
    connected_at_ms: u64,
    messages: AtomicU64,
    last_activity_ms: AtomicU64,
}

impl Record {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn shared_id(&self) -> &Arc<str> {
        &self.id
    }

    /// Notes what was received.
    pub(crate) fn on_activity(&self, messages: u64, at_ms: u64) {
        self.messages.fetch_add(messages, Ordering::Relaxed);
        self.last_activity_ms.fetch_max(at_ms, Ordering::Relaxed);
    }

    fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            id: Arc::clone(&self.id),
            connected_at_ms: self.connected_at_ms,
            protocol: self.protocol,
            messages: self.messages.load(Ordering::Relaxed),
            last_activity_ms: self.last_activity_ms.load(Ordering::Relaxed),
        }
    }
}

/// An open connection's entry, struck out when dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    slot: Slot,
    number: u64,
    record: Arc<Record>,
    /// By which the handler is found, if it is over a stream.
    secret: Option<Arc<str>>,
}

impl Entry {
    /// Lets messages for the handler find it.
    pub(crate) fn give_address(&self, shard: usize, key: u64) {
        if let Some(secret) = &self.secret {
            self.slot.registry.lock_sessions().insert(Arc::clone(secret), Address { shard, key });
        }
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }
}

impl Registry {
    pub(crate) fn new(boot: String, config: &HubConfig, backlog: Arc<Backlog>) -> Arc<Self> {
        Arc::new(Self {
            boot,
            limit: config.max_connections,
            backlog,
            max_waiting_bytes: config.waiting_bytes as u64,
            is_closed: AtomicBool::new(false),
            active: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            by_protocol: Default::default(),
            records: Mutex::default(),
            handlers: Mutex::default(),
        })
    }

    pub(crate) fn reserve(self: &Arc<Self>) -> Result<Slot, LimitReached> {
        let capacity = |active: usize| (active < self.limit).then_some(active + 1);
        let reserved = if self.is_closed.load(Ordering::Acquire) {
            Err(LimitReached::Connections)
        } else if self.is_over_ceiling() {
            Err(LimitReached::WaitingBytes)
        } else {
            let reserved = self.active.fetch_update(Ordering::AcqRel, Ordering::Acquire, capacity);
            reserved.map_err(|_| LimitReached::Connections)
        };
        let before = reserved.inspect_err(|_| {
            self.refused.fetch_add(1, Ordering::Relaxed);
        })?;
        self.peak.fetch_max(before + 1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(Slot { registry: Arc::clone(self) })
    }

    /// Whether a reservation would be refused now.
    pub(crate) fn is_full(&self) -> bool {
        let is_full = self.active.load(Ordering::Acquire) >= self.limit;
        is_full || self.is_closed.load(Ordering::Acquire) || self.is_over_ceiling()
    }

    fn is_over_ceiling(&self) -> bool {
        self.backlog.bytes() > self.max_waiting_bytes
    }

    /// Refuses reservations from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    pub(crate) fn connections(&self, limit: usize) -> Vec<ConnectionInfo> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.values().take(limit).map(|record| record.info()).collect()
    }

    /// Where the handler is that a secret belongs to.
    pub(crate) fn handler(&self, secret: &str) -> Option<Address> {
        self.lock_sessions().get(secret).copied()
    }

    fn lock_sessions(&self) -> MutexGuard<'_, HashMap<Arc<str>, Address>> {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This boot's name.
    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    /// Active, peak, limit; accepted, refused; WebSockets, streams.
    pub(crate) fn figures(&self) -> ([usize; 3], [u64; 2], [usize; 2]) {
        (
            [self.active.load(Ordering::Relaxed), self.peak.load(Ordering::Relaxed), self.limit],
            [self.accepted.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed)],
            [0, 1].map(|protocol| self.by_protocol[protocol].load(Ordering::Relaxed)),
        )
    }
}

impl Slot {
    /// Uses the slot for connection number `number` of this boot.
    pub(crate) fn open(self, number: u64, protocol: Protocol, secret: Option<Arc<str>>) -> Entry {
        let now_ms = unix_ms();
        let record = Arc::new(Record {
            id: format!("{}-{number}", self.registry.boot).into(),
            protocol,
            connected_at_ms: now_ms,
            messages: AtomicU64::new(0),
            last_activity_ms: AtomicU64::new(now_ms),
        });
        self.registry.by_protocol[protocol as usize].fetch_add(1, Ordering::Relaxed);
        let mut records = self.registry.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.insert(number, Arc::clone(&record));
        drop(records);
        Entry { slot: self, number, record, secret }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.registry.active.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let registry = &self.slot.registry;
        registry.by_protocol[self.record.protocol as usize].fetch_sub(1, Ordering::Relaxed);
        registry.records.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        if let Some(secret) = &self.secret {
            registry.lock_sessions().remove(secret);
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
