//! The settings as the program sees them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ordercast_domain::rules::{Concurrency, Rules};
use ordercast_engine::retention::Retentions;
use ordercast_server::CentrifugeConfig;
use ordercast_server::access::secret::Secret;
use ordercast_server::access::tokens::TokenKeys;
use ordercast_server::channels::Channels;
use ordercast_server::proxy::ProxyConfig;

/// Everything that can be set, checked. `docs/` and `ordercast config show` name the settings as in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Where to listen: always a loopback address, because nobody signs in yet. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where the data is.
    pub data_dir: PathBuf,
    /// The worker pool in the process.
    pub workers: WorkerSettings,
    /// The bound on commands.
    pub intake: IntakeSettings,
    /// How much logs keep.
    pub retention: Retentions,
    /// The profile that the rules began with.
    pub limits: Limits,
    /// The rules of orders.
    pub rules: Rules,
    /// Sockets and streams.
    pub websocket: WebSocketSettings,
    /// HTTP and the process.
    pub server: ServerSettings,
    /// How clients are authenticated.
    pub access: AccessSettings,
    /// Which channels there are.
    pub channels: Channels,
    /// The bounds of channels in memory.
    pub memory: MemorySettings,
    /// How Centrifuge clients are served.
    pub centrifuge: CentrifugeConfig,
    /// Made-up orders.
    pub demo: DemoSettings,
    /// What is logged, as a filter such as `info` or `ordercast_engine=debug,info`.
    pub log: String,
}

/// The worker pool in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkerSettings {
    /// Orders in work at the same time; with 0 orders are taken and wait.
    pub slots: usize,
    /// How many orders may be in work at a time, those of external workers included.
    pub concurrency: Concurrency,
    /// Shortest time that the built-in processor pretends to work on an order.
    pub work_min: Duration,
    /// Longest time that the built-in processor pretends to work on an order.
    pub work_max: Duration,
}

/// The bound on commands that are not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IntakeSettings {
    /// Of all clients together; 503 beyond.
    pub capacity: usize,
    /// Of one client; 429 beyond.
    pub client_capacity: usize,
}

/// A profile of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// 10,000 and 50 lines.
    Standard,
    /// 1,000,000 and 1,000 lines.
    Wholesale,
}

impl Limits {
    /// The name in the settings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Wholesale => "wholesale",
        }
    }

    /// The profile of a name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Standard, Self::Wholesale].into_iter().find(|limits| limits.name() == name)
    }
}

/// Sockets and streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebSocketSettings {
    /// Most sockets and streams together.
    pub max_connections: usize,
    /// How long a client may take to send its request.
    pub handshake_timeout: Duration,
    /// Silence after which a client is sent a ping.
    pub ping_interval: Duration,
    /// Silence after which a client is dropped.
    pub read_timeout: Duration,
    /// How long a write may wait for room.
    pub write_timeout: Duration,
    /// Largest message from a client.
    pub max_message_bytes: usize,
    /// Most bytes that wait for one slow subscriber before it is parked on the log.
    pub outbox_bytes: usize,
    /// Most bytes that wait for all of them; new ones are refused beyond.
    pub waiting_bytes: usize,
    /// Most unsent bytes that the kernel keeps for one connection; 0 leaves it to the kernel.
    pub send_buffer_bytes: u32,
    /// Whether messages may be compressed.
    pub compression: bool,
    /// What a socket is subscribed to unless it says otherwise.
    pub default_channels: Vec<String>,
}

/// The bounds of channels in memory, all together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemorySettings {
    /// Most channels.
    pub channels: usize,
    /// Most bytes of publications that they keep.
    pub bytes: usize,
}

/// HTTP and the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerSettings {
    /// Origins of pages that may call the server, beside its own.
    pub allowed_origins: Vec<String>,
    /// Proxies in front of the server.
    pub proxy: ProxyConfig,
    /// The IANA name of the time zone that days are counted in.
    pub time_zone: String,
    /// Whether there is a route that sends back what it is sent.
    pub echo: bool,
    /// How long a graceful stop may take.
    pub drain_timeout: Duration,
    /// Over which time a stopping server spreads its closes; zero for a millisecond each.
    pub drain_spread: Duration,
    /// Most new connections that are begun a second.
    pub handshakes_per_s: u32,
    /// Most HTTP connections beside those that carry sockets and streams.
    pub max_http_connections: usize,
    /// Most bytes of request bodies that are on their way, over all connections.
    pub body_bytes: usize,
    /// Most bytes of answers to bulk requests that wait for their clients, over all requests.
    pub bulk_answer_bytes: usize,
}

/// How clients are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessSettings {
    /// What those without a token are.
    pub mode: AuthMode,
    /// Whether one may connect as nobody.
    pub allows_anonymous: bool,
    /// What tokens are checked with.
    pub keys: TokenKeys,
    /// What callers of the server API show.
    pub api_key: Option<Secret>,
}

/// What those without a token are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMode {
    /// Administrators; on loopback only.
    Open,
    /// Nobody.
    Token,
}

impl AuthMode {
    /// The name in the settings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Token => "token",
        }
    }
}

/// Made-up orders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DemoSettings {
    /// Whether they are made.
    pub is_enabled: bool,
    /// How many a second.
    pub rate_per_s: f64,
    /// What they are drawn from: the same seed makes the same orders.
    pub seed: u64,
}
