//! What every entrance shares.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_engine::{Engine, encode};
use ordercast_hub::Hub;
use ordercast_protocol::channel::Channel;
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::frame::write_products;
use ordercast_store::read::ReadStore;
use tokio::runtime::Handle;

use crate::Problem;

/// The settings of the entrances.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// How long a client may take to send a request's head, or to finish an upgrade.
    pub handshake_timeout: Duration,
    /// Origins other than the server's own from which browsers may send, such as `https://shop.example`.
    pub allowed_origins: Vec<String>,
    /// What a WebSocket without `?channels=` is subscribed to.
    pub default_channels: Vec<Channel>,
    /// How long a stopping server waits for clients and work.
    pub drain_timeout: Duration,
    /// Whether made-up orders are placed.
    pub demo: bool,
}

/// What every entrance shares.
pub struct App {
    /// The write side.
    pub engine: Engine,
    /// The read side.
    pub hub: Hub,
    /// Orders, products, adjustments.
    pub store: Arc<dyn ReadStore>,
    /// The settings.
    pub config: ServerConfig,
    pub(crate) runtime: Handle,
    pub(crate) errors: ErrorCounts,
    /// Bodies of the last ticks, oldest first.
    pub(crate) ticks: Mutex<VecDeque<Bytes>>,
    greeting: Mutex<Option<(u64, Bytes)>>,
}

impl App {
    /// Puts the parts together. Must be called on the runtime that serves.
    pub fn new(engine: Engine, hub: Hub, store: Arc<dyn ReadStore>, config: ServerConfig) -> Arc<Self> {
        Arc::new(Self {
            engine,
            hub,
            store,
            config,
            runtime: Handle::current(),
            errors: ErrorCounts::default(),
            ticks: Mutex::default(),
            greeting: Mutex::default(),
        })
    }

    /// The product list as a frame, encoded once for each state of the catalogue.
    pub(crate) fn product_list(&self) -> Bytes {
        let mut greeting = self.greeting.lock().unwrap_or_else(PoisonError::into_inner);
        let (revision, products) = {
            // The writer waits for this lock, so it is held for copying only, not for encoding.
            let listing = self.engine.catalogue().read();
            match &*greeting {
                Some((revision, frame)) if *revision == listing.revision => return frame.clone(),
                _ => (listing.revision, listing.products.values().cloned().collect::<Vec<_>>()),
            }
        };
        let mut out = Vec::with_capacity(products.len() * 160 + 64);
        write_products(products.iter().map(|(hash, product)| encode::product_view(product, hash)), &mut out);
        let frame = Bytes::from(out);
        *greeting = Some((revision, frame.clone()));
        frame
    }

    /// Counts an error and writes it to the log: what kind, whose, what.
    pub(crate) fn report(&self, entrance: &'static str, connection: &str, problem: &Problem) {
        self.errors.count(problem.code);
        let kind = problem.code.name();
        tracing::info!(entrance, connection, kind, detail = problem.detail, "refused");
    }
}

/// Errors told to clients, by kind.
#[derive(Debug, Default)]
pub(crate) struct ErrorCounts([AtomicU64; ErrorCode::ALL.len()]);

impl ErrorCounts {
    fn count(&self, code: ErrorCode) {
        self.0[code as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self, code: ErrorCode) -> u64 {
        self.0[code as usize].load(Relaxed)
    }

    pub(crate) fn total(&self) -> u64 {
        ErrorCode::ALL.into_iter().map(|code| self.get(code)).sum()
    }
}
