//! The read side: it begins at the broker and ends at sockets.
//!
//! ```text
//! broker ─announcement→ mailbox ─→ shard: feed ─run→ groups ─one write→ socket
//!                                    ↑                        └─ queue → event stream
//! log ───────────page────────────────┘  (holes, resumes, slow clients)
//! ```
//!
//! A [`Hub`] owns a few *shards*, each a thread with its own poll loop. Nothing here waits for a client: a
//! slow one is parked on the log and reads on when it can. Nothing here believes the broker: offsets decide,
//! and what is missing is read from the log.
//!
//! Absences: no SQL, no HTTP, no orders. What a client says is for a [`handler::ConnectionHandler`] to understand.

mod config;
mod counters;
mod feed;
mod frames;
pub mod handler;
mod history;
mod hub;
mod index;
mod mailbox;
mod memory;
mod memory_feed;
mod outbox;
mod pages;
mod presence;
mod recent;
mod redacted;
mod registry;
mod shard;
mod slab;
mod steady;
mod stream;
mod subscription;
mod wheel;
pub mod ws;

pub use config::HubConfig;
pub use counters::HubStats;
pub use history::InProcessHistory;
pub use hub::{Hub, Seams, Upgraded};
pub use ordercast_broker::history::{History, HistoryQuery};
pub use ordercast_broker::presence::PresenceStats;
pub use ordercast_broker::signal;
pub use presence::InProcessPresence;
pub use registry::{ConnectionInfo, LimitReached, Protocol, Slot};
pub use stream::EventStream;
