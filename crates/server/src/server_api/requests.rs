//! What callers send.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// `publish` and `broadcast`, which has several channels.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Publish {
    pub(super) channel: String,
    pub(super) channels: Vec<String>,
    /// What is published, as JSON.
    pub(super) data: Option<Box<RawValue>>,
    /// The same as any bytes, in base64; it goes before `data`.
    pub(super) b64data: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// Not to be kept.
    pub(super) skip_history: bool,
    /// Published once, however often it is sent. An empty key is none, as in Centrifugo.
    pub(super) idempotency_key: Option<String>,
    /// Only if newer than what was published. Not offered.
    pub(super) version: u64,
}

/// What is asked about one channel.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OfChannel {
    pub(super) channel: String,
}

/// Which channels are listed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Listing {
    /// Only those whose names match; `*` stands for anything.
    pub(super) pattern: String,
}

/// Whom a command means, and what else it says. How a channel is subscribed stands in
/// [`crate::access::tokens::ChannelOptions`], which is read from the same body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OfUser {
    pub(super) user: String,
    /// Only this connection.
    pub(super) client: String,
    /// Only the connection with this session.
    pub(super) session: String,
    pub(super) channel: String,
    /// Where a subscription begins.
    pub(super) recover_since: Option<Since>,
    /// How a connection ends.
    pub(super) disconnect: Option<Ending>,
    /// Connections that stay.
    pub(super) whitelist: Vec<String>,
    /// The connection's token counts as expired.
    pub(super) expired: bool,
    /// When the connection ends, in seconds since 1970; 0 for never.
    pub(super) expire_at: i64,
}

/// A place in a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    pub(super) epoch: String,
    #[serde(default)]
    pub(super) offset: u64,
}

/// A close code with its text.
#[derive(Debug, Deserialize)]
pub(super) struct Ending {
    pub(super) code: u16,
    #[serde(default)]
    pub(super) reason: String,
}
