//! What every entrance shares.

pub(crate) mod body_capacity;
pub mod proxy;
pub(crate) mod published_keys;
pub(crate) mod snapshot_pages;
pub(crate) mod suggestions;
pub(crate) mod today;

use std::collections::{HashMap, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ordercast_domain::ids::Sku;
use ordercast_domain::product::Product;
use ordercast_engine::{Engine, encode};
use ordercast_hub::Hub;
use ordercast_protocol::channel::{Channel, Log};
use ordercast_protocol::error::ErrorCode;
use ordercast_protocol::frame::write_products;
use ordercast_store::read::ReadStore;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use self::body_capacity::BodyCapacity;
use self::proxy::ProxyConfig;
use self::published_keys::PublishedKeys;
use self::snapshot_pages::{PAGE_BYTES, SnapshotPages};
use self::suggestions::Suggestions;
use self::today::Today;
use crate::Problem;
use crate::access::Access;
use crate::channels::Channels;

const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Most products of one frame; a frame is closed earlier when it has [`PAGE_BYTES`].
const PAGE_PRODUCTS: usize = 1_000;
/// About what a product takes in a frame beside its SKU and name, in bytes.
const PRODUCT_BYTES: usize = 128;
/// Most bulk requests at a time; each may hold a line of the largest size.
pub(crate) const MAX_BULK_REQUESTS: usize = 512;
/// Bytes of answers to bulk requests that are counted as one.
pub(crate) const BULK_ANSWER_UNIT: usize = 1024;
const DEFAULT_BULK_ANSWER_BYTES: usize = 128 * 1024 * 1024;
const DEFAULT_HANDSHAKES_PER_S: u32 = 20_000;
const DEFAULT_HTTP_CONNECTIONS: usize = 1_024;
const DEFAULT_BODY_BYTES: usize = 256 * 1024 * 1024;

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
    /// Most HTTP connections beside those that carry streams and sockets.
    pub max_http_connections: usize,
    /// Most bytes of request bodies that are on their way, over all connections.
    pub body_bytes: usize,
    /// Most bytes of answers to bulk requests that wait for their clients, over all requests: many clients send everything
    /// before they read.
    pub bulk_answer_bytes: usize,
    /// The IANA name of the time zone that days are counted in.
    pub time_zone: String,
    /// Whether made-up orders are placed.
    pub demo: bool,
    /// Which channels there are.
    pub channels: Channels,
    /// Proxies in front of the server, and its names there.
    pub proxy: ProxyConfig,
    /// How clients are authenticated.
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
            max_http_connections: DEFAULT_HTTP_CONNECTIONS,
            body_bytes: DEFAULT_BODY_BYTES,
            bulk_answer_bytes: DEFAULT_BULK_ANSWER_BYTES,
            time_zone: "UTC".to_owned(),
            demo: false,
            channels: Channels::default(),
            proxy: ProxyConfig::default(),
            access: Access::default(),
            centrifuge: CentrifugeConfig::default(),
        }
    }
}

impl ServerConfig {
    /// [`ServerConfig::bulk_answer_bytes`] as they are counted.
    pub(crate) fn bulk_answer_units(&self) -> usize {
        (self.bulk_answer_bytes / BULK_ANSWER_UNIT).min(Semaphore::MAX_PERMITS)
    }
}

/// How Centrifuge clients are served. The defaults are those of the reference server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CentrifugeConfig {
    /// How often a client is sent a ping. Whole seconds, for that is the unit in which clients learn it.
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
    /// The figures of the day.
    pub(crate) today: Today,
    /// Bodies of the last ticks, oldest first.
    pub(crate) ticks: Mutex<VecDeque<Bytes>>,
    /// Capacity for bodies that are on their way.
    pub(crate) bodies: BodyCapacity,
    /// Capacity for answers to bulk requests, in units of [`BULK_ANSWER_UNIT`].
    pub(crate) bulk_answers: Arc<Semaphore>,
    /// Turns for bulk requests.
    pub(crate) bulk_requests: Arc<Semaphore>,
    /// HTTP connections that are open, streams included.
    pub(crate) http_connections: Arc<AtomicUsize>,
    /// Whether nobody new comes in any more.
    pub(crate) has_acceptor_failed: AtomicBool,
    /// HTTP connections that were closed at once, because too many were open.
    pub(crate) http_refused: AtomicU64,
    /// What the server API has published, by the callers' keys.
    pub(crate) published_keys: PublishedKeys,
    /// Searches for products that were meant.
    pub(crate) suggestions: Suggestions,
    pub(crate) snapshots: SnapshotPages,
    greeting: Mutex<Greeting>,
}

/// Frames of the product list as of one revision of the catalogue, by the SKU that each begins after.
#[derive(Default)]
struct Greeting {
    revision: Option<u64>,
    pages: HashMap<Option<Sku>, GreetingPage>,
}

/// A frame of the product list, and the SKU that the next one begins after.
#[derive(Clone)]
pub(crate) struct GreetingPage {
    pub(crate) frame: Bytes,
    pub(crate) next: Option<Sku>,
}

/// Products with their hashes.
pub(crate) type Products = Vec<(String, Product)>;

impl App {
    /// Puts the parts together. Must be called on the runtime that serves.
    pub fn new(engine: Engine, hub: Hub, store: Arc<dyn ReadStore>, config: ServerConfig) -> Arc<Self> {
        let bodies = BodyCapacity::new(config.body_bytes);
        let bulk_answers = Arc::new(Semaphore::new(config.bulk_answer_units()));
        Arc::new(Self {
            engine,
            hub,
            store,
            config,
            runtime: Handle::current(),
            errors: ErrorCounts::default(),
            today: Today::default(),
            ticks: Mutex::default(),
            bodies,
            bulk_answers,
            bulk_requests: Arc::new(Semaphore::new(MAX_BULK_REQUESTS)),
            http_connections: Arc::default(),
            has_acceptor_failed: AtomicBool::new(false),
            http_refused: AtomicU64::new(0),
            published_keys: PublishedKeys::default(),
            suggestions: Suggestions::default(),
            snapshots: SnapshotPages::default(),
            greeting: Mutex::default(),
        })
    }

    /// The products after a SKU, as many as one frame takes, and the last SKU of them when there are more.
    pub(crate) fn products_after(&self, sku: Option<&Sku>) -> (Products, Option<Sku>) {
        // The writer waits for this lock, so it is held for copying a page only, not for encoding.
        let listing = self.engine.catalogue().read();
        let (mut products, mut bytes) = (Vec::new(), 0);
        let from = sku.map_or(Bound::Unbounded, |sku| Bound::Excluded(sku.clone()));
        let mut rows = listing.products.range((from, Bound::Unbounded));
        for (_, (hash, product)) in rows.by_ref() {
            bytes += PRODUCT_BYTES + product.sku.len() + product.name.len();
            products.push((hash.clone(), product.clone()));
            if bytes >= PAGE_BYTES || products.len() >= PAGE_PRODUCTS {
                break;
            }
        }
        let next = products.last().map(|(_, product)| product.sku.clone()).filter(|_| rows.next().is_some());
        (products, next)
    }

    /// A frame of the product list, encoded once for each state of the catalogue. The list goes on with the page
    /// after `next`: a client gets it when it has taken this one.
    pub(crate) fn product_list(&self, after: Option<Sku>) -> GreetingPage {
        let revision = self.engine.catalogue().read().revision;
        let mut greeting = self.greeting.lock().unwrap_or_else(PoisonError::into_inner);
        if greeting.revision != Some(revision) {
            *greeting = Greeting { revision: Some(revision), pages: HashMap::new() };
        }
        if let Some(page) = greeting.pages.get(&after) {
            return page.clone();
        }
        let (products, next) = self.products_after(after.as_ref());
        let mut out = Vec::with_capacity(PAGE_BYTES.min(products.len() * PRODUCT_BYTES + 128));
        let views = products.iter().map(|(hash, product)| encode::product_view(product, hash));
        write_products(views, next.is_some(), &mut out);
        let page = GreetingPage { frame: out.into(), next };
        greeting.pages.insert(after, page.clone());
        page
    }

    /// Counts an error and writes it to the log: what kind, whose, what.
    pub(crate) fn report(&self, entrance: &'static str, connection: &str, problem: &Problem) {
        self.errors.count(problem.code);
        let kind = problem.code.name();
        tracing::info!(entrance, connection, kind, detail = problem.detail, "refused");
    }
}

/// Errors in answers to clients, by kind.
#[derive(Debug, Default)]
pub(crate) struct ErrorCounts([AtomicU64; ErrorCode::ALL.len()]);

impl ErrorCounts {
    fn count(&self, code: ErrorCode) {
        self.0[code as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn get(&self, code: ErrorCode) -> u64 {
        self.0[code as usize].load(Relaxed)
    }

    /// Requests that the server could not serve: those of the 500s.
    pub(crate) fn failures(&self) -> u64 {
        ErrorCode::ALL.into_iter().filter(|&code| is_failure(code)).map(|code| self.get(code)).sum()
    }

    /// Requests refused because something was wrong with them, by kind; kinds that did not occur are left out.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (ErrorCode, u64)> {
        let counted = ErrorCode::ALL.into_iter().filter(|&code| !is_failure(code)).map(|code| (code, self.get(code)));
        counted.filter(|&(_, count)| count > 0)
    }
}

fn is_failure(code: ErrorCode) -> bool {
    code.http_status() >= 500
}
