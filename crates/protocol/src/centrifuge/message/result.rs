//! What commands are answered with.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::publication::{ClientInfo, Publication};
use super::raw_json::{self, is_default};

/// Why a command was not carried out.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorReply {
    /// The protocol's code below 400, the application's from there on.
    #[prost(uint32, tag = "1")]
    pub code: u32,
    /// What is wrong.
    #[prost(string, tag = "2")]
    pub message: String,
    /// Whether the same command may succeed later.
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub temporary: bool,
}

/// The connection stands.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectResult {
    /// The connection's id.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub client: String,
    /// The server's name and version.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub version: String,
    /// Whether the client must refresh its token.
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub expires: bool,
    /// In how many seconds.
    #[prost(uint32, tag = "4")]
    #[serde(skip_serializing_if = "is_default")]
    pub ttl: u32,
    /// Free to use by the application.
    #[prost(bytes = "bytes", tag = "5")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Subscriptions that the server made; a map from channel to result.
    #[prost(message, repeated, tag = "6")]
    #[serde(with = "subs_as_map", skip_serializing_if = "Vec::is_empty")]
    pub subs: Vec<SubscribedChannel>,
    /// Seconds between pings of the server.
    #[prost(uint32, tag = "7")]
    #[serde(skip_serializing_if = "is_default")]
    pub ping: u32,
    /// Whether they must be answered.
    #[prost(bool, tag = "8")]
    #[serde(skip_serializing_if = "is_default")]
    pub pong: bool,
    /// For transports whose commands come apart: which session they belong to.
    #[prost(string, tag = "9")]
    #[serde(skip_serializing_if = "is_default")]
    pub session: String,
    /// For the same: which node has it.
    #[prost(string, tag = "10")]
    #[serde(skip_serializing_if = "is_default")]
    pub node: String,
    /// The server's clock, in milliseconds since 1970.
    #[prost(int64, tag = "11")]
    #[serde(skip_serializing_if = "is_default")]
    pub time: i64,
}

/// An entry of a map from channel to result.
///
/// Not a map of the library, which leaves out results that are all default; the official JavaScript SDK takes
/// such an entry for null.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SubscribedChannel {
    /// The key.
    #[prost(string, tag = "1")]
    pub channel: String,
    /// The value; always present when written.
    #[prost(message, optional, tag = "2")]
    pub result: Option<SubscribeResult>,
}

pub(super) mod subs_as_map {
    use super::{BTreeMap, Deserializer, Serializer, SubscribeResult, SubscribedChannel};
    use serde::Deserialize as _;

    pub(crate) fn serialize<S: Serializer>(subs: &[SubscribedChannel], serializer: S) -> Result<S::Ok, S::Error> {
        let empty = SubscribeResult::default();
        serializer.collect_map(subs.iter().map(|sub| (&sub.channel, sub.result.as_ref().unwrap_or(&empty))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SubscribedChannel>, D::Error> {
        let map = BTreeMap::<String, SubscribeResult>::deserialize(deserializer)?;
        Ok(map.into_iter().map(|(channel, result)| SubscribedChannel { channel, result: Some(result) }).collect())
    }
}

/// The new token holds.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RefreshResult {
    /// The connection's id.
    #[prost(string, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub client: String,
    /// The server's name and version.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub version: String,
    /// Whether this token expires too.
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub expires: bool,
    /// In how many seconds.
    #[prost(uint32, tag = "4")]
    #[serde(skip_serializing_if = "is_default")]
    pub ttl: u32,
}

/// The subscription stands.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscribeResult {
    /// Whether the client must refresh the subscription's token.
    #[prost(bool, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub expires: bool,
    /// In how many seconds.
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub ttl: u32,
    /// Whether it can be resumed.
    #[prost(bool, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub recoverable: bool,
    /// The life of the stream.
    #[prost(string, tag = "6")]
    #[serde(skip_serializing_if = "is_default")]
    pub epoch: String,
    /// What was missed, oldest first.
    #[prost(message, repeated, tag = "7")]
    #[serde(skip_serializing_if = "is_default")]
    pub publications: Vec<Publication>,
    /// Whether nothing is missing since the position that was asked for.
    #[prost(bool, tag = "8")]
    #[serde(skip_serializing_if = "is_default")]
    pub recovered: bool,
    /// Where the stream stands; when recovered, the position that was asked for.
    #[prost(uint64, tag = "9")]
    #[serde(skip_serializing_if = "is_default")]
    pub offset: u64,
    /// Whether the server watches for holes.
    #[prost(bool, tag = "10")]
    #[serde(skip_serializing_if = "is_default")]
    pub positioned: bool,
    /// Free to use by the application.
    #[prost(bytes = "bytes", tag = "11")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Whether a position was asked for.
    #[prost(bool, tag = "12")]
    #[serde(skip_serializing_if = "is_default")]
    pub was_recovering: bool,
    /// Whether publications come as strings and deltas.
    #[prost(bool, tag = "13")]
    #[serde(skip_serializing_if = "is_default")]
    pub delta: bool,
    /// The number that stands for the channel in pushes; 0 when its name does.
    #[prost(int64, tag = "14")]
    #[serde(skip_serializing_if = "is_default")]
    pub id: i64,
}

/// The token of the subscription holds.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubRefreshResult {
    /// Whether this token expires too.
    #[prost(bool, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub expires: bool,
    /// In how many seconds.
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub ttl: u32,
}

/// The subscription has ended.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct UnsubscribeResult {}

/// It is published.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct PublishResult {}

/// Who is in a channel.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceResult {
    /// By the connection's id. Read by the SDKs even when empty.
    #[prost(btree_map = "string, message", tag = "1")]
    pub presence: BTreeMap<String, ClientInfo>,
}

/// How many are in a channel.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceStatsResult {
    /// Connections. Read by the SDKs even when 0.
    #[prost(uint32, tag = "1")]
    pub num_clients: u32,
    /// Different users among them; likewise.
    #[prost(uint32, tag = "2")]
    pub num_users: u32,
}

/// What was published before.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryResult {
    /// In the order asked for. Read by the SDKs even when empty.
    #[prost(message, repeated, tag = "1")]
    pub publications: Vec<Publication>,
    /// The life of the stream.
    #[prost(string, tag = "2")]
    pub epoch: String,
    /// Where it stands.
    #[prost(uint64, tag = "3")]
    pub offset: u64,
}

/// In the schema, but no SDK asks for it.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct PingResult {}

/// What a call returned.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RpcResult {
    /// The value.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}
