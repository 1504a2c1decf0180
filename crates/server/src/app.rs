//! What every entrance shares.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_engine::{Engine, encode};
use ordercast_hub::Hub;
use ordercast_protocol::channel::{Channel, Log};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::frame::write_products;
use ordercast_store::read::ReadStore;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::Problem;
use crate::access::Access;
use crate::channels::Channels;
use crate::idempotency::PublishedKeys;

const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Most snapshots that are read at the same time.
const SNAPSHOT_READS: usize = 4;
const DEFAULT_HANDSHAKES_PER_S: u32 = 20_000;

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
    /// Whether WebSocket messages may be compressed (RFC 7692) when the client offers it.
    pub compression: bool,
    /// Whether `GET /echo` sends back what it is sent, for conformance suites.
    pub echo: bool,
    /// Most new connections that are begun a second; others wait their turn.
    pub handshakes_per_s: u32,
    /// Whether made-up orders are placed.
    pub demo: bool,
    /// Which channels there are.
    pub channels: Channels,
    /// Who comes in.
    pub access: Access,
    /// How Centrifuge clients are served.
    pub centrifuge: CentrifugeConfig,
}

impl Default for ServerConfig {
    /// What DESIGN §5.3 promises, open, and without namespaces.
    fn default() -> Self {
        Self {
            handshake_timeout: DEFAULT_HANDSHAKE_TIMEOUT,
            allowed_origins: Vec::new(),
            default_channels: Channel::parse(Log::Orders.name()).into_iter().collect(),
            drain_timeout: DEFAULT_DRAIN_TIMEOUT,
            compression: false,
            echo: false,
            handshakes_per_s: DEFAULT_HANDSHAKES_PER_S,
            demo: false,
            channels: Channels::default(),
            access: Access::default(),
            centrifuge: CentrifugeConfig::default(),
        }
    }
}

/// How Centrifuge clients are served. The defaults are those of the reference server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CentrifugeConfig {
    /// How often a client is sent a ping. Whole seconds, for clients are told.
    pub ping_interval: Duration,
    /// How soon it must answer.
    pub pong_timeout: Duration,
    /// How soon it must have connected after the transport stands.
    pub stale_timeout: Duration,
    /// How long after its end a token may still be replaced.
    pub refresh_grace: Duration,
    /// Largest message from a client, in bytes.
    pub max_message_bytes: usize,
}

impl Default for CentrifugeConfig {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(8),
            stale_timeout: Duration::from_secs(15),
            refresh_grace: Duration::from_secs(25),
            max_message_bytes: 64 * 1024,
        }
    }
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
    /// What the server API has published, by the callers' keys.
    pub(crate) published_keys: PublishedKeys,
    /// Turns for reading snapshots.
    pub(crate) snapshots: Semaphore,
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
            published_keys: PublishedKeys::default(),
            snapshots: Semaphore::new(SNAPSHOT_READS),
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
