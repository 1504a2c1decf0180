//! What clients ask for.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::raw_json::{self, is_default, null_as_default};

/// The first command of a connection.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectRequest {
    /// The connection's token; empty when anonymous.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub token: String,
    /// Free to use by the application.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Positions of server-side subscriptions, by channel.
    #[prost(btree_map = "string, message", tag = "3")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub subs: BTreeMap<String, SubscribeRequest>,
    /// The SDK's or application's name, at most 16 bytes.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub name: String,
    /// Its version, at most 64 bytes.
    #[prost(string, tag = "5")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub version: String,
    /// Headers that a browser could not send with the upgrade.
    #[prost(btree_map = "string, string", tag = "6")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub headers: BTreeMap<String, String>,
    /// Bits of abilities.
    #[prost(int64, tag = "7")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub flag: i64,
}

/// A token that follows one that expires.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RefreshRequest {
    /// The connection's new token.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub token: String,
}

/// Start a subscription.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscribeRequest {
    /// Which channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// The subscription's token, when it has one.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub token: String,
    /// Whether what follows `epoch` and `offset` is wanted.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub recover: bool,
    /// The life of the stream that `offset` belongs to; empty when not known.
    #[prost(string, tag = "6")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub epoch: String,
    /// The last offset seen.
    #[prost(uint64, tag = "7")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// Free to use by the application.
    #[prost(bytes = "bytes", tag = "8")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Whether the client wants to learn when it has missed something.
    #[prost(bool, tag = "9")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub positioned: bool,
    /// Whether it wishes to recover.
    #[prost(bool, tag = "10")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub recoverable: bool,
    /// Whether it wants joins and leaves.
    #[prost(bool, tag = "11")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub join_leave: bool,
    /// The kind of deltas it understands: `fossil`, or empty for none.
    #[prost(string, tag = "12")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub delta: String,
    /// Which publications are wanted, by their tags.
    #[prost(message, optional, tag = "13")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tf: Option<FilterNode>,
    /// Bits of abilities: see [`SubscribeRequest::REJECT_UNRECOVERED`].
    #[prost(int64, tag = "14")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub flag: i64,
    /// 0 for a stream; other kinds are not offered.
    #[prost(int32, tag = "15")]
    #[serde(rename = "type", deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub kind: i32,
}

impl SubscribeRequest {
    /// Bit of `flag`: the client understands numbers in place of channel names.
    pub const NUMERIC_CHANNELS: i64 = 1;
    /// Bit of `flag`: an error 112 is wanted in place of `recovered: false`.
    pub const REJECT_UNRECOVERED: i64 = 2;
}

/// A condition on the tags of publications.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterNode {
    /// `and`, `or`, `not`, or empty for a comparison.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub op: String,
    /// The tag compared.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub key: String,
    /// How it is compared.
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub cmp: String,
    /// With what.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub val: String,
    /// With which of several.
    #[prost(string, repeated, tag = "5")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub vals: Vec<String>,
    /// The conditions that `op` joins.
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub nodes: Vec<FilterNode>,
}

/// A new token of a subscription.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubRefreshRequest {
    /// Which channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// The new token.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub token: String,
    /// 0 for a refresh; other kinds are not offered.
    #[prost(int32, tag = "3")]
    #[serde(rename = "type", deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub kind: i32,
    /// Keys to follow; of kinds that are not offered.
    #[prost(message, repeated, tag = "4")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub track: Vec<TrackBatch>,
    /// Keys to follow no longer; likewise.
    #[prost(string, repeated, tag = "5")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub untrack: Vec<String>,
}

/// Keys under one signature.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct TrackBatch {
    /// Who allowed them.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub signature: String,
    /// The keys.
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub items: Vec<KeyedItem>,
}

/// A key and how much of it is known.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyedItem {
    /// The key.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub key: String,
    /// The last version seen.
    #[prost(uint64, tag = "2")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub version: u64,
}

/// End a subscription.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct UnsubscribeRequest {
    /// Which channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub channel: String,
}

/// Publish into a channel.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishRequest {
    /// Which channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// What.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// 0 for a stream; other kinds are not offered.
    #[prost(int32, tag = "3")]
    #[serde(rename = "type", deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub kind: i32,
}

/// Who is in a channel.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceRequest {
    /// Which channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub channel: String,
}

/// How many are in a channel.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceStatsRequest {
    /// Which channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub channel: String,
}

/// A place in a stream.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamPosition {
    /// The last offset seen.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// The life of the stream; empty when not known.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub epoch: String,
}

/// What was published before.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryRequest {
    /// Which channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// How many publications at most; 0 for the position alone, below 0 for as many as the server gives.
    #[prost(int32, tag = "7")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub limit: i32,
    /// From where; from the beginning (or the end, in reverse) when missing.
    #[prost(message, optional, tag = "8")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<StreamPosition>,
    /// Newest first.
    #[prost(bool, tag = "9")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub reverse: bool,
}

/// In the schema, but no SDK sends it.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
pub struct PingRequest {}

/// A message that gets no reply.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SendRequest {
    /// What.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}

/// A call.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RpcRequest {
    /// The arguments.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "raw_json", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// What is called.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "is_default")]
    pub method: String,
}
