//! The settings of a hub, with their defaults and bounds.

use std::time::Duration;

use ordercast_protocol::limits::{MAX_CHANNELS, MAX_MESSAGE_BYTES};
use ordercast_store::log::PageLimit;

const DEFAULT_MAX_CONNECTIONS: usize = 10_000;
const DEFAULT_PING_INTERVAL: Duration = Duration::from_secs(54);
const DEFAULT_READ_TIMEOUT: Duration = Duration::from_secs(60);
const DEFAULT_WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const DEFAULT_STREAM_HEARTBEAT: Duration = Duration::from_secs(15);
const DEFAULT_OUTBOX_BYTES: usize = 1024 * 1024;
const DEFAULT_CONTROL_BYTES: usize = 256 * 1024;
const DEFAULT_WAITING_BYTES: usize = 512 * 1024 * 1024;
const DEFAULT_MEMORY_CHANNELS: usize = 100_000;
const DEFAULT_MEMORY_BYTES: usize = 256 * 1024 * 1024;
const DEFAULT_PAGE: PageLimit = PageLimit { events: 512, bytes: 64 * 1024 };
const DEFAULT_PAGE_READS: usize = 8;
const DEFAULT_LOG_POLL_INTERVAL: Duration = Duration::from_secs(1);
const DEFAULT_RECENT_BYTES: usize = 4 * 1024 * 1024;
const DEFAULT_FOLLOW_LINGER: Duration = Duration::from_secs(30);
/// Cores for each shard thread: the write side needs the others.
const CORES_PER_SHARD: usize = 2;
const MAX_TICK: Duration = Duration::from_secs(1);
const MIN_TICK: Duration = Duration::from_millis(5);
/// How often a deadline is looked at before it passes, so that it is late by a quarter at most.
const TICKS_PER_DEADLINE: u32 = 4;

/// How a hub is set up. `HubConfig::default()` is what DESIGN §5.3 promises.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Threads that own sockets; each has its own poll loop. At least 1.
    pub shards: usize,
    /// Most sockets and streams together; beyond it [`crate::Hub::reserve`] refuses.
    pub max_connections: usize,
    /// Silence of a client after which it is sent a ping.
    pub ping_interval: Duration,
    /// Silence of a client after which its socket is dropped.
    pub read_timeout: Duration,
    /// How long a reply, a ping or a close may wait while the client takes nothing before the socket is
    /// dropped, and how long a closing handshake may take.
    pub write_timeout: Duration,
    /// Silence of an event stream after which it is sent a comment.
    pub stream_heartbeat: Duration,
    /// Most bytes of events that wait for one slow subscriber; beyond it they are dropped and the subscriber
    /// is parked on the log.
    pub outbox_bytes: usize,
    /// Most bytes of replies that wait for one connection after the kernel was asked to take them; beyond it
    /// the connection is closed with 1008. The largest of them does not count, so that one of any size passes.
    pub control_bytes: usize,
    /// Most bytes that wait for all connections together: replies, and events, of which a buffer that many share counts
    /// once. Beyond it new connections are refused, questions wait, and slow subscribers are parked at once.
    pub waiting_bytes: usize,
    /// Most channels in memory; what would begin another is refused.
    pub memory_channels: usize,
    /// Most bytes of publications that all of them keep; beyond it the channel that is published into loses its oldest.
    pub memory_bytes: usize,
    /// Largest message from a client, in bytes; beyond it the connection is closed with 1009.
    pub max_message_bytes: usize,
    /// How much of a log is read at once for a subscriber that catches up.
    pub page: PageLimit,
    /// Most pages that are read at the same time.
    pub page_reads: usize,
    /// How often the heads of the logs are read, which repairs what the broker lost.
    pub log_poll_interval: Duration,
    /// Bytes of events of one log that each shard keeps for those who come back soon, as announced; as many again
    /// as they were read.
    pub recent_bytes: usize,
    /// How long a shard goes on hearing of a log after its last subscriber has left.
    pub follow_linger: Duration,
    /// Over which time a drain spreads its closes, but at most half of its grace; a millisecond for each
    /// connection when missing.
    pub drain_spread: Option<Duration>,
    /// Most subscriptions of one connection.
    pub max_channels: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            shards: (cores / CORES_PER_SHARD).max(1),
            max_connections: DEFAULT_MAX_CONNECTIONS,
            ping_interval: DEFAULT_PING_INTERVAL,
            read_timeout: DEFAULT_READ_TIMEOUT,
            write_timeout: DEFAULT_WRITE_TIMEOUT,
            stream_heartbeat: DEFAULT_STREAM_HEARTBEAT,
            outbox_bytes: DEFAULT_OUTBOX_BYTES,
            control_bytes: DEFAULT_CONTROL_BYTES,
            waiting_bytes: DEFAULT_WAITING_BYTES,
            memory_channels: DEFAULT_MEMORY_CHANNELS,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            max_message_bytes: MAX_MESSAGE_BYTES,
            page: DEFAULT_PAGE,
            page_reads: DEFAULT_PAGE_READS,
            log_poll_interval: DEFAULT_LOG_POLL_INTERVAL,
            recent_bytes: DEFAULT_RECENT_BYTES,
            follow_linger: DEFAULT_FOLLOW_LINGER,
            drain_spread: None,
            max_channels: MAX_CHANNELS,
        }
    }
}

impl HubConfig {
    /// How often a shard looks at its deadlines.
    pub(crate) fn tick(&self) -> Duration {
        let deadlines = [self.ping_interval, self.read_timeout, self.write_timeout, self.stream_heartbeat];
        let shortest = deadlines.into_iter().min().unwrap_or(MAX_TICK);
        (shortest / TICKS_PER_DEADLINE).clamp(MIN_TICK, MAX_TICK)
    }

    /// The next question of a connection is begun when no more bytes of replies than this wait for it.
    pub(crate) fn question_low_water_bytes(&self) -> usize {
        self.control_bytes / 4
    }

    /// The next page is read for a subscriber when no more than this waits for it.
    pub(crate) fn low_water_bytes(&self) -> usize {
        self.page.bytes / 2
    }
}
